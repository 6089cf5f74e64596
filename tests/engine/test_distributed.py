"""Two processes on gloo. One start of them serves all questions, since starting costs seconds."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.engine import checkpoint, distributed
from tests.engine.toys import BATCH, ONE_STEP, SHRINKING, ToyStream, ToyTask, trainer

ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Where two ranks trained, and what each of them found."""
    root = tmp_path_factory.mktemp("ranks")
    ports = {"MASTER_PORT": str(free_port()), "SECOND_PORT": str(free_port())}
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", **ports, **ONE_THREAD}
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("ranks.py")), str(root)]
    started = [subprocess.Popen(command, env=os.environ | common | {"RANK": str(rank)}) for rank in (0, 1)]
    try:
        assert started[0].wait(timeout=240) == 0
    finally:
        for process in started:
            process.kill()  # the second stands still
            process.wait()
    return root, [torch.load(root / f"{rank}.pt") for rank in (0, 1)]


def test_small_words(ranks):
    _, (first, second) = ranks
    assert [first["rank"], second["rank"]] == [0, 1] and first["main"] and not second["main"]
    assert first["mean"].tolist() == second["mean"].tolist() == [0.5, 1.0]
    assert first["largest"] == second["largest"] == [7, 0]
    assert second["from_main"] == "said by 0"
    assert first["mean in a step"].tolist() == [0.5, 1.0] and first["soon"] and first["late"]


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


def test_one_rank_goes_on_where_two_were(ranks, tmp_path):
    """With the samples that come next, and the gradients of as many: weights differ by rounding."""
    root, (first, second) = ranks
    alone, goes_on = (ToyTask(dropout=0.0).double() for _ in range(2))
    expected, rest = (ToyStream(dtype=torch.float64) for _ in range(2))
    trainer(tmp_path, task=alone, stream=expected, **SHRINKING).run()
    trainer(root / "shrinking", task=goes_on, stream=rest, **SHRINKING).run()
    assert sorted([*first["ids"], *second["ids"], *rest.ids]) == sorted(expected.ids)
    assert rest.ids == expected.ids[5 * BATCH :] and not {*first["ids"]} & {*second["ids"]}
    for name, parameter in alone.named_parameters():
        torch.testing.assert_close(goes_on.get_parameter(name), parameter, atol=1e-9, rtol=0)


def test_a_rank_that_stands_still_is_noticed(ranks):
    root, _ = ranks
    seconds, said = (root / "stalled.txt").read_text().split(maxsplit=1)
    assert 6 <= float(seconds) < 60
    assert "rank 0 lost another of the 2 processes" in said and "hardware.stalled_after_minutes=0.1" in said
    assert checkpoint.latest(root / "stalled") is None


@pytest.mark.parametrize("machines", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_rank_that_is_killed_brings_all_back(ranks, tmp_path, machines):
    """The result is that of a quiet training; two torchruns on this machine are as two machines."""
    root, _ = ranks
    options = [f"--rdzv-endpoint=127.0.0.1:{free_port()}", "--rdzv-backend=c10d", "--rdzv-id=toy", "--max-restarts=1"]
    options += [f"--nnodes={machines}", f"--nproc-per-node={2 // machines}", "--local-addr=127.0.0.1"]
    program = [str(Path(__file__).with_name("elastic.py")), str(tmp_path)]
    command, environment = [sys.executable, "-m", "torch.distributed.run", *options, *program], os.environ | ONE_THREAD
    if machines > 1:
        environment |= {distributed.NOT_SHARED: "1"}
    agents = [subprocess.Popen(command, env=environment) for _ in range(machines)]
    try:
        assert [agent.wait(timeout=240) for agent in agents] == [0] * machines
    finally:
        for agent in agents:
            agent.terminate()
            agent.wait()
    local = {1: (0, 1), 2: (0, 0)}[machines]
    starts = sorted((tmp_path / "starts").read_text().splitlines())
    assert starts == [f"rank {rank}, on its machine {local[rank]}" for rank in (0, 0, 1, 1)]
    assert "rank 0 lost another" in (tmp_path / "lost").read_text()
    last = f"checkpoints/{12 * BATCH:012d}"
    for file in [*(root / "long" / last).iterdir(), root / "long" / "metrics.jsonl"]:
        assert file.read_bytes() == (tmp_path / "run" / file.relative_to(root / "long")).read_bytes(), file.name


def test_several_machines_need_a_store_of_their_own(monkeypatch):
    found = {"RANK": "0", "WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "2"}
    found |= {"TORCHELASTIC_MAX_RESTARTS": "1", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(FridoError, match=f"{distributed.NOT_SHARED}=1 torchrun"),
        distributed.process_group("cpu", stalled_after_minutes=5.0),
    ):
        pass


def test_a_port_that_is_taken_is_named(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        with (
            pytest.raises(FridoError, match=f"MASTER_PORT={port + 1}"),
            distributed.process_group("cpu", stalled_after_minutes=5.0),
        ):
            pass


def test_a_sample_that_one_rank_lost_stops_both(ranks):
    root, (first, second) = ranks
    assert "train-000001.tar, key 0017" in first["lost"] and first["lost"] == second["lost"]
    assert len((root / "lossy" / "lost.jsonl").read_text().splitlines()) == 1


def test_weights_that_differ_are_noticed(ranks):
    root, found = ranks
    assert all("differ between ranks" in rank["error"] for rank in found)
    assert not list((root / "wrong").glob("checkpoints/*"))
