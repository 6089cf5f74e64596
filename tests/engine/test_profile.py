"""A profile tells the truth about time, and the training does not feel it."""

import gzip
import json
import time
from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType

from frido.engine import distributed
from frido.engine.signals import Stopped
from frido.engine.speed import profile
from frido.engine.speed.profile import WARM_UP
from frido.engine.speed.stretches import NAMES, stretch
from tests.engine.toys import BATCH, ToyStream, trainer


def event(name, seconds, device=DeviceType.CPU):
    return SimpleNamespace(name=name, device_type=device, time_range=SimpleNamespace(elapsed_us=lambda: 1e6 * seconds))


def shares(directory, name="shares.json"):
    return json.loads((directory / "profile" / name).read_text())


def names_of_trace(directory, name="trace.json.gz"):
    with gzip.open(directory / "profile" / name) as file:
        return {event["name"] for event in json.load(file)["traceEvents"] if "name" in event}


def test_shares_of_a_trace():
    """Stretches add up over steps, of the host's clock alone; what has no name is the rest."""
    events = [
        event("frido/data/", 0.1),
        event("frido/forward/denoiser", 0.2),
        event("frido/forward/denoiser", 0.4),
        event("frido/forward/critic", 0.1),
        event("frido/backward/denoiser", 0.8),
        event("frido/forward/denoiser", 50.0, DeviceType.CUDA),
        event("aten::mm", 0.7),
    ]
    found = profile.shares(events, seconds=2.0)
    assert found["shares"] == pytest.approx(
        dict.fromkeys(NAMES, 0.0) | {"data": 0.05, "forward": 0.35, "backward": 0.4, "rest": 0.2}
    )
    assert found["phases"] == {
        "denoiser": {"forward": pytest.approx(0.3), "backward": 0.4},
        "critic": {"forward": 0.05},
    }


def test_a_profiled_training_ends_with_the_bits_of_a_quiet_one(tmp_path, capsys):
    quiet, told = tmp_path / "quiet", tmp_path / "told"
    trainer(quiet).run()
    trainer(told, profile_steps=2, during=lambda images_seen, model: {}).run()
    last = f"checkpoints/{12 * BATCH:012d}"
    for name in ("model", "ema.half_life", "optimizer"):
        assert (quiet / last / f"{name}.safetensors").read_bytes() == (told / last / f"{name}.safetensors").read_bytes()
    assert (quiet / "metrics.jsonl").read_bytes() == (told / "metrics.jsonl").read_bytes()
    assert not (quiet / "profile").exists()

    assert {"frido/data/", "frido/forward/critic", "frido/ema/", "aten::convolution"} <= names_of_trace(told)
    found = shares(told)
    assert found["steps"] == 2 and found["images"] == 2 * BATCH
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert all(found["shares"][name] > 0 for name in ("data", "forward", "backward", "optimizer", "ema", "checkpoint"))
    assert found["phases"].keys() == {"generator", "critic"}
    assert len(found["operators"]) == profile.TOP
    assert all("frido" not in operator["name"] for operator in found["operators"])
    assert {"flops_per_second", "peak_share", "peak_memory_bytes"} <= found.keys()
    table = capsys.readouterr().err
    assert all(words in table for words in ("where the time of 2 steps went", "of critic", "aten::", "peak memory"))


def test_waiting_for_data_is_seen(tmp_path):
    trainer(
        tmp_path,
        images=(WARM_UP + 4) * BATCH,
        stream=ToyStream(at_start=lambda _: time.sleep(0.1)),
        during=lambda *_: time.sleep(0.05) or {},
        picture_every_images=BATCH,
        profile_steps=4,
    ).run()
    found = shares(tmp_path)
    told = {name: share * found["seconds"] for name, share in found["shares"].items()}
    assert told["data"] > 0.4 and told["looking"] > 0.2
    assert told["rest"] >= 0, "nothing counts twice"


def test_nothing_is_traced_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(profile, "profile", None)
    trainer(tmp_path).run()
    assert not (tmp_path / "profile").exists()


@pytest.mark.parametrize("steps", [WARM_UP - 1, WARM_UP])
def test_a_training_without_a_step_to_trace_says_so(tmp_path, caplog, steps):
    trainer(tmp_path, images=steps * BATCH, profile_steps=4).run()
    assert "no step was traced" in caplog.text
    assert not (tmp_path / "profile").exists()


def test_a_training_that_ends_early_is_told_as_far_as_it_went(tmp_path):
    trainer(tmp_path, images=(WARM_UP + 2) * BATCH, profile_steps=4).run()
    assert shares(tmp_path)["steps"] == 2


def test_who_is_asked_to_stop_leaves_no_half_profile(tmp_path):
    import signal

    def stop(images_seen):
        if images_seen == (WARM_UP + 1) * BATCH:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Stopped):
        trainer(tmp_path, stream=ToyStream(at_start=stop), profile_steps=8).run()
    assert not (tmp_path / "profile").exists() and not torch.autograd._profiler_enabled()
    trainer(tmp_path, profile_steps=2).run()
    assert shares(tmp_path)["steps"] == 2


def test_a_place_that_cannot_be_written_does_not_stop_the_training(tmp_path, caplog):
    (tmp_path / "profile").write_text("in the way")
    trainer(tmp_path, profile_steps=2).run()
    assert (tmp_path / f"checkpoints/{12 * BATCH:012d}").exists()
    assert "cannot be written" in caplog.text


def test_ranks_have_files_of_their_own_and_only_the_first_prints(tmp_path, monkeypatch, capsys):
    one = trainer(tmp_path, profile_steps=2)
    batch = ToyStream().at(0)
    monkeypatch.setattr(distributed, "rank", lambda: 3)
    with one.profiler:
        for _ in range(WARM_UP + 2):
            with stretch("data"):
                pass
            one.profiler.step(batch)
    assert shares(tmp_path, "shares.rank3.json")["steps"] == 2
    assert "frido/data/" in names_of_trace(tmp_path, "trace.rank3.json.gz")
    assert capsys.readouterr().err == ""
