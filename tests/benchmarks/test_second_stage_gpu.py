"""The benchmark for GPUs stands: it runs at tiny size on the CPU."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "second_stage_gpu.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("second_stage_gpu", BENCHMARK)
    module = sys.modules["second_stage_gpu"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["second_stage_gpu"]


def test_rows_and_tables_agree(benchmark, capsys):
    (facts,) = benchmark.measure("facts", benchmark.TINY, "cpu")
    arms = ("training, checkpointing", "sampling")
    rows = [{"arm": arm, **row} for arm in arms for row in benchmark.measure(arm, benchmark.TINY, "cpu")]
    benchmark.report(facts, 0.5, [*rows, {"arm": "training", "batch": 8, "out_of_memory": True}])
    tables, _, line = capsys.readouterr().out.rstrip().rpartition("\n")
    found = json.loads(line)
    assert found["device"] == "cpu" and found["peak_tflops"] == 0.5
    assert [(row["arm"], row["batch"]) for row in rows] == [(arms[0], 2), (arms[0], 4), (arms[1], 1), (arms[1], 2)]
    for row in found["rows"][:-1]:
        batch, seconds = row["batch"], row["seconds"]
        cells = f"{seconds / batch:.3f} | {seconds:.3f}"
        if row["arm"] != "sampling":
            share = facts["flops_per_image"] * batch / seconds / 0.5e12
            cells = f"{batch / seconds:.1f} | {seconds:.3f} | {share:.1%}"
        assert f"| {row['arm']} | {batch} | {cells} |" in tables
    assert "| training | 8 | out of memory |" in tables


def test_a_sweep_ends_with_memory(benchmark, monkeypatch):
    def steps(task, config, batch, repeats, device):
        if batch.size > 2:
            raise torch.OutOfMemoryError
        return {"seconds": 0.5}

    monkeypatch.setattr(benchmark, "steps", steps)
    first, last = benchmark.measure("training", benchmark.TINY, "cpu")
    assert first["images_per_second"] == 4 and last == {"batch": 4, "out_of_memory": True}


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["training, compiled", "training, compiled, checkpointing", "sampling, compiled"])
def test_compiled_arms_run_in_their_processes(arm):
    command = [sys.executable, str(BENCHMARK), "--device", "cpu", "--tiny", "--arm", arm, "--batches", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {row["arm"] for row in json.loads(done.stdout.splitlines()[-1])["rows"]} == {arm}
