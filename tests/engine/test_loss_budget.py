"""Samples that cannot be read: named once, counted, and too many stop the training before its next step."""

import json

import pytest

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.engine import checkpoint
from tests.engine.toys import BATCH, ToyStream, trainer

HERE = Lost("train-000001.tar", "0017", "changed bytes")
THERE = Lost("train-000002.tar", "0040", "No such file or directory")


def lines(path, name):
    return [json.loads(line) for line in (path / name).read_text().splitlines()]


def test_too_many_stop_before_the_next_step(tmp_path):
    asked = []
    stream = ToyStream(at_start=asked.append, lost={5 * BATCH + 1: HERE})
    with pytest.raises(FridoError, match=r"cannot be read: 1\n.*train-000001\.tar, key 0017: changed bytes") as error:
        trainer(tmp_path, stream=stream).run()
    assert "data.max_loss=1" in error.value.do and error.value.wanted.endswith("data.max_loss=0")
    assert asked[-1] == 5 * BATCH, "no step after the one that lost a sample"
    assert lines(tmp_path, "lost.jsonl") == [{"images": 6 * BATCH} | HERE._asdict()]
    assert checkpoint.latest(tmp_path).name == f"{4 * BATCH:012d}", "what was good is kept"


def test_within_the_budget_it_goes_on_and_says_so(tmp_path):
    """The same sample, lost in every epoch, is one."""
    stream = ToyStream(lost={BATCH: HERE, 5 * BATCH + 1: HERE, 8 * BATCH: THERE})
    trainer(tmp_path, stream=stream, max_loss=2).run()
    assert [(line["images"], line["key"]) for line in lines(tmp_path, "lost.jsonl")] == [
        (2 * BATCH, "0017"),
        (9 * BATCH, "0040"),
    ]
    assert [line["data/lost"] for line in lines(tmp_path, "metrics.jsonl")] == [1, 1, 2, 2]


def test_none_lost_is_said_at_the_end(tmp_path):
    trainer(tmp_path).run()
    assert [line.get("data/lost") for line in lines(tmp_path, "metrics.jsonl")] == [None, None, None, 0]


def test_a_resumed_run_counts_on_and_writes_the_same_lines(tmp_path):
    lost = {BATCH: HERE, 5 * BATCH + 1: THERE}
    trainer(tmp_path / "whole", stream=ToyStream(lost=lost), max_loss=2).run()
    with pytest.raises(FridoError, match="cannot be read: 2"):
        trainer(tmp_path / "parts", stream=ToyStream(lost=lost), max_loss=1).run()
    trainer(tmp_path / "parts", stream=ToyStream(lost=lost), max_loss=2).run()  # from the checkpoint at 4 batches
    for name in ("lost.jsonl", "metrics.jsonl"):
        assert lines(tmp_path / "parts", name) == lines(tmp_path / "whole", name)
    with pytest.raises(FridoError, match="cannot be read: 2"):
        trainer(tmp_path / "again", stream=ToyStream(lost={0: HERE, 1: THERE}), max_loss=1).run()


def test_waiting_for_data_is_told_as_a_share(tmp_path):
    trainer(tmp_path).run()
    shares = [line["generator/data_wait"] for line in lines(tmp_path, "timing.jsonl")]
    assert len(shares) == 4 and all(0 <= share < 1 for share in shares)
    assert not any("data_wait" in name for line in lines(tmp_path, "metrics.jsonl") for name in line)
