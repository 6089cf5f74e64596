"""What a person sees."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from frido.tracking.console import ConsoleTracker, duration

VALUES = {
    "a/accuracy": 0.5,
    "denoiser/loss": 0.12345,
    "denoiser/images_per_second": 200.0,
    "denoiser/learning_rate": 1e-3,
}


def shown(*, style: str, terminal: bool, budget: int | None = 76_800) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=160, highlight=False)
    tracker = ConsoleTracker(name="denoiser", budget=budget, style=style, console=console)
    tracker.log(VALUES, images=12_800)
    tracker.picture("samples", Path("run/pictures/samples/000000012800.png"), images=12_800)
    tracker.close()
    return file.getvalue()


@pytest.mark.parametrize("style", ["lines", "auto"])
def test_lines_in_a_log_file(style):
    first, second = shown(style=style, terminal=False).splitlines()
    assert "12,800/76,800 images  200/s  5:20 left  denoiser/loss 0.1235  a/accuracy 0.5" in first
    assert "learning_rate" not in first
    assert "samples: run/pictures/samples/000000012800.png" in second
    assert "\x1b" not in first


@pytest.mark.parametrize("style", ["progress", "auto"])
def test_bar_on_a_terminal(style):
    text = shown(style=style, terminal=True)
    assert "12,800/76,800 images" in text and "5:20 left" in text and "━" in text


def test_without_a_budget_nothing_is_promised():
    assert "left" not in shown(style="lines", terminal=False, budget=None)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (7509.0, "2:05:09")])
def test_durations(seconds, text):
    assert duration(seconds) == text
