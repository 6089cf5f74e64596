"""Lines on a disk that is full for a while."""

import logging
import resource
from contextlib import contextmanager

import pytest

from frido.contracts import atomic
from frido.tracking.jsonl import JsonlTracker, Lines


@contextmanager
def full(size: int):
    """Let no file grow past `size` bytes: the system writes what fits and refuses the rest, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_half_a_line_is_taken_back(tmp_path):
    path = tmp_path / "lines"
    atomic.append(path, "first\n")
    with full(10), pytest.raises(OSError, match="too large"):
        atomic.append(path, "second\n")
    assert path.read_text() == "first\n"
    atomic.append(path, "third\n")
    assert path.read_text() == "first\nthird\n"


def test_lines_wait_for_room_and_keep_their_order(tmp_path, caplog):
    lines = Lines(tmp_path / "lines")
    lines.append("first\n")
    with full(10), caplog.at_level(logging.ERROR):
        lines.append("second\nthird\n")
        lines.append("4\n")  # would fit, but not before the second
    assert lines.path.read_text() == "first\n"
    assert len(caplog.records) == 1, "one message an outage"
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        lines.append("fifth\n")
        lines.append("sixth\n")
    assert lines.path.read_text() == "first\nsecond\nthird\n4\nfifth\nsixth\n"
    assert [record.getMessage() for record in caplog.records] == [f"{lines.path}: 3 lines that waited are written"]
    with full(10), caplog.at_level(logging.ERROR):
        lines.append("again\n")
    assert len(caplog.records) == 2, "the next outage is told as well"


def test_the_log_of_a_training_is_whole_in_the_end(tmp_path):
    values = {"loss": 0.5, "images_per_second": 2.0}
    for name in ("quiet", "full"):
        tracker = JsonlTracker(directory=tmp_path / name)
        tracker.log(values, images=8)
        with full(20 if name == "full" else 10_000):
            tracker.log(values, images=16)
        tracker.close()
    for name in ("metrics.jsonl", "timing.jsonl"):
        assert (tmp_path / "full" / name).read_text() == (tmp_path / "quiet" / name).read_text()


def test_what_is_lost_is_counted(tmp_path, caplog):
    lines = Lines(tmp_path / "no" / "such" / "folder")
    with caplog.at_level(logging.ERROR):
        lines.append("one\n")
        lines.close()
    assert "1 lines could not be written" in caplog.text


def test_failures_of_the_disk_are_no_metric(tmp_path):
    """What is trained does not depend on them."""
    JsonlTracker(directory=tmp_path).log({"checkpoint_failures": 1.0}, images=8)
    assert not (tmp_path / "metrics.jsonl").exists() and "failures" in (tmp_path / "timing.jsonl").read_text()
