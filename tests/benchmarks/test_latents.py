"""The benchmark of cached latents stands: both arms train in a prepared run directory, and see the same latents."""

import importlib.util
from pathlib import Path

import pytest
import torch

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "latents.py"


@pytest.mark.slow
def test_both_arms_train_on_the_same(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("latents_benchmark", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    monkeypatch.setattr(benchmark, "SMALL", ("debug=smoke", "size.batch=4", "metrics=none", "tracking=files"))
    monkeypatch.setattr(benchmark, "BATCH", 4)
    directory = benchmark.prepared(tmp_path)
    seen = {}
    for arm in benchmark.ARMS:
        seen[arm] = []

        def at(self, images_seen, arm=arm):
            self.marks.append(float(images_seen))
            batch = self.stream.at(images_seen)
            seen[arm].append((batch.ids, batch.pyramid))
            return batch

        monkeypatch.setattr(benchmark.Marked, "at", at)
        assert benchmark.train(directory, arm, steps=2)["step"] == 4.0
    encoded, cached = seen.values()
    for (ids, pyramid), (cached_ids, cached_pyramid) in zip(encoded, cached, strict=True):
        assert ids == cached_ids
        for latent, kept in zip(pyramid, cached_pyramid, strict=True):
            torch.testing.assert_close(latent, kept, atol=0.1, rtol=0.1)  # bf16, in other batches
