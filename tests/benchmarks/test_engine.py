"""The benchmark of the engine stands: its parts run on trainings that are as small as can be, and fill its tables."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "engine.py"
LIGHT = ("size.batch=2", "size.autoencoder_batch=2", "size.log_every_images=4", "size.width=32", "size.num_codes=16")


@pytest.fixture
def benchmark(monkeypatch):
    spec = importlib.util.spec_from_file_location("engine_benchmark", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "engine_benchmark", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "OVERRIDES", (*module.OVERRIDES, *LIGHT))
    monkeypatch.setattr(module, "EVERY", 2)
    return module


@pytest.mark.parametrize("stage", ["denoiser", pytest.param("autoencoder", marks=pytest.mark.slow)])
def test_the_bare_loop_does_the_engines_work(benchmark, tmp_path, stage):
    """Or it would not be compared: `overhead` itself looks whether all arms end with the same bits."""
    found = benchmark.overhead(stage, 3, tmp_path)
    assert {arm: len(seconds) for arm, seconds in found.items()} == dict.fromkeys(benchmark.ARMS, 3)


@pytest.mark.slow
def test_other_work_is_noticed(benchmark, monkeypatch, tmp_path):
    whole = benchmark.bare
    monkeypatch.setattr(benchmark, "bare", lambda setting, batch, **how: whole(setting, batch.rows(0, 1), **how))
    with pytest.raises(AssertionError, match="did not do the same"):
        benchmark.overhead("denoiser", 1, tmp_path)


@pytest.mark.slow
def test_tables(benchmark, monkeypatch, capsys, tmp_path):
    """Without the other processes."""

    def apart(part, what, *, steps, threads, processes=1):
        return benchmark.PARTS[part](what, steps, tmp_path / f"{part} {what} {processes}")

    monkeypatch.setattr(benchmark, "apart", apart)
    monkeypatch.setattr(sys, "argv", ["engine.py", "checkpoints", "ranks", "averages", "--repeats=1", "--steps=4"])
    benchmark.main()
    tables = capsys.readouterr().out.split("\n\n")[1:]
    assert [len(table.splitlines()) for table in tables] == [4, 4, 6]
    for table in tables:
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1
    sizes = [[float(cell) for cell in row.split("|")[2:4]] for row in tables[2].strip().splitlines()[2:]]
    assert [tensors for _, tensors in sizes] == pytest.approx([n * sizes[0][0] for n in range(4)], rel=0.01)


def test_seconds_become_ratios(benchmark, monkeypatch, capsys):
    arms = {"bare loop": [1.0, 2.0, 4.0], "bare loop with averages": [2.0, 4.0, 8.0], "engine": [2.2, 4.0, 8.0]}
    monkeypatch.setattr(benchmark, "apart", lambda *_, **__: arms)
    monkeypatch.setattr(sys, "argv", ["engine.py", "overhead", "--repeats=1"])
    benchmark.main()
    table = capsys.readouterr().out
    assert "| denoiser | engine | 4000.0 | bare loop with averages | +0.0% (+0.0% to +10.0%) | +1.4% |" in table
    assert "| denoiser | engine | 4000.0 | bare loop | +100.0% (+100.0% to +120.0%) | +102.9% |" in table
