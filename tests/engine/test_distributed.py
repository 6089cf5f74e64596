"""Two processes on gloo. One start of them serves all questions, since starting costs seconds."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from frido.engine import checkpoint
from tests.engine.toys import BATCH, ONE_STEP, ToyStream, ToyTask, trainer


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Where two ranks trained, and what each of them found."""
    root = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("ranks.py")), str(root)]
    started = [subprocess.Popen(command, env=os.environ | common | {"RANK": str(rank)}) for rank in (0, 1)]
    assert [process.wait(timeout=300) for process in started] == [0, 0]
    return root, [torch.load(root / f"{rank}.pt") for rank in (0, 1)]


def test_small_words(ranks):
    _, (first, second) = ranks
    assert [first["rank"], second["rank"]] == [0, 1] and first["main"] and not second["main"]
    assert first["mean"].tolist() == second["mean"].tolist() == [0.5, 1.0]
    assert first["largest"] == second["largest"] == [7, 0]
    assert second["from_main"] == "said by 0"


def test_replicas_are_equal(ranks):
    root, (first, second) = ranks
    for name in ("weights", "averaged", "continued"):
        torch.testing.assert_close(first[name], second[name], atol=0, rtol=0)
    kept = checkpoint.read(checkpoint.latest(root / "long"))
    torch.testing.assert_close(kept.weights, dict(first["weights"]), atol=0, rtol=0)
    assert first["restored"] == second["restored"] == 6 * BATCH


def test_only_the_first_rank_logs(ranks):
    root, _ = ranks
    lines = [json.loads(line) for line in (root / "long" / "metrics.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [24, 48, 72, 96]


def test_gradients_are_those_of_one_process(ranks, tmp_path):
    """In float64, with accumulation, for both phases: one step of two ranks is one step of one."""
    _, found = ranks
    task = ToyTask(dropout=0.0).double()
    trainer(tmp_path, task=task, stream=ToyStream(dtype=torch.float64), **ONE_STEP).run()
    names = [name for name, _ in task.named_parameters()]
    assert any(name.startswith("critic") for name in names)
    for rank in found:
        for name in names:
            torch.testing.assert_close(rank["step"][name], task.get_parameter(name).detach(), atol=1e-12, rtol=0)


def test_a_sample_that_one_rank_lost_stops_both(ranks):
    root, (first, second) = ranks
    assert "train-000001.tar, key 0017" in first["lost"] and first["lost"] == second["lost"]
    assert len((root / "lossy" / "lost.jsonl").read_text().splitlines()) == 1


def test_weights_that_differ_are_noticed(ranks):
    root, found = ranks
    assert all("differ between ranks" in rank["error"] for rank in found)
    assert not list((root / "wrong").glob("checkpoints/*"))
