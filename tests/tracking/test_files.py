"""metrics.jsonl and timing.jsonl."""

import json

import pytest

from frido.tracking.jsonl import JsonlTracker, forget, rewind


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def directory(tmp_path):
    tracker = JsonlTracker(directory=tmp_path / "run")
    for images in (0, 64, 128):
        tracker.log({"denoiser/loss": 1 / 3, "denoiser/images_per_second": images + 0.5}, images=images)
    tracker.log({"fid/scenes@100": 2.0}, images=128)
    tracker.close()
    return tmp_path / "run"


def test_clock_times_have_their_own_file(directory):
    assert lines(directory / "metrics.jsonl") == [
        {"images": 0, "denoiser/loss": 1 / 3},
        {"images": 64, "denoiser/loss": 1 / 3},
        {"images": 128, "denoiser/loss": 1 / 3},
        {"images": 128, "fid/scenes@100": 2.0},
    ]
    assert lines(directory / "timing.jsonl")[1] == {"images": 64, "denoiser/images_per_second": 64.5}


def test_rewind_cuts_what_came_later(directory):
    rewind(directory, images=64)
    assert [line["images"] for line in lines(directory / "metrics.jsonl")] == [0, 64]
    assert [line["images"] for line in lines(directory / "timing.jsonl")] == [0, 64]


@pytest.mark.parametrize("torn", ['{"ima', '{"images": 64, "denoiser/loss": 0.1}'])
def test_rewind_drops_a_torn_line(directory, torn):
    """Also one that happens to be JSON: without its line end the next line would be glued to it."""
    path = directory / "metrics.jsonl"
    before = path.read_text()
    path.write_text(before + torn)
    rewind(directory, images=128)
    assert path.read_text() == before


def test_rewind_of_nothing(tmp_path):
    rewind(tmp_path, images=0)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_finite_is_kept(tmp_path):
    JsonlTracker(directory=tmp_path).log({"fid": float("inf")}, images=1)
    assert lines(tmp_path / "metrics.jsonl")[0]["fid"] == float("inf")


def test_numbers_measured_again_replace_the_old(tmp_path):
    tracker = JsonlTracker(directory=tmp_path)
    tracker.log({"loss": 1.0}, images=8)
    tracker.log({"judge/recall": 0.2, "fid/scenes@8": 3.0}, images=8)
    forget(tmp_path, ["judge/recall", "fid/scenes@8", "is/scenes@8"])
    assert (tmp_path / "metrics.jsonl").read_text() == '{"images": 8, "loss": 1.0}\n'
