"""`kill -9` at three moments of the main job: the same command continues it to the same bits."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

BUDGETS = ["size.images=96", "size.autoencoder_images=96", "size.checkpoint_every_images=32", "size.samples=4"]
QUICK = ["debug=smoke", "size.scenes=64", "data.source.val=8", "data.source.test=8", "metrics=none", *BUDGETS]


def command(root: Path, overrides: list[str]) -> list[str]:
    recipe = ["experiment=vg_sg2im", "data=scenes", "size=tiny", "tracking=files", *overrides]
    return [sys.executable, "-m", "frido.run", *recipe, f"run.root={root}"]


def run_to_the_end(root: Path, overrides: list[str]) -> None:
    done = subprocess.run(command(root, overrides), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def kill_when(moment: Callable[[], bool], root: Path, overrides: list[str]) -> None:
    """Start the job, kill it without warning as soon as `moment` has come."""
    with subprocess.Popen(command(root, overrides), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not moment():
            assert process.poll() is None, "the job ended before the moment came"
            time.sleep(0.0005)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def results(root: Path) -> dict[str, bytes]:
    """Return what a run leaves, by path: both stages' checkpoints and numbers, the autoencoder, latents, samples."""
    patterns = [
        "stages/autoencoder/*/checkpoints/*/*",
        "stages/autoencoder/*/autoencoder.safetensors",
        "stages/autoencoder/*/metrics.jsonl",
        "stages/latents/*/train.safetensors",
        "vg_sg2im/*/checkpoints/*/*",
        "vg_sg2im/*/metrics.jsonl",
        "vg_sg2im/*/samples/*/generated/*.png",
    ]
    files = [file for pattern in patterns for file in root.glob(pattern)]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def check(tmp_path: Path, overrides: list[str]) -> None:
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"

    def any_of(pattern: str) -> Callable[[], bool]:
        return lambda: next(killed.glob(pattern), None) is not None

    run_to_the_end(quiet, overrides)
    kill_when(any_of("stages/autoencoder/*/checkpoints/0*"), killed, overrides)
    kill_when(any_of("vg_sg2im/*/checkpoints/.*.partial-*"), killed, overrides)
    kill_when(any_of("vg_sg2im/*/checkpoints/0*"), killed, overrides)
    run_to_the_end(killed, overrides)

    expected, found = results(quiet), results(killed)
    assert any(name.endswith("ema.half_life.safetensors") for name in expected)
    assert expected.keys() == found.keys()
    assert [name for name in expected if expected[name] != found[name]] == []


def test_killed_three_times(tmp_path):
    check(tmp_path, QUICK)


@pytest.mark.slow
def test_demo_killed_three_times(tmp_path):
    """The demo as it is; about three times its six minutes."""
    check(tmp_path, [])
