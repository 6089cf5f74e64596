"""Files that a condition reads: named by path, remembered by content."""

import json

import pytest
import torch
import yaml
from torch import nn

from frido.cli import outside
from frido.cli.drawing import AS_FROZEN
from frido.cli.session import Session
from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from tests.engine.toys import newest


@pytest.fixture
def config(tmp_path) -> dict:
    """Several conditions: one with a file below a part of it, one with a folder, one that points at nothing."""
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    (tmp_path / "clip" / "inner").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "clip" / name).write_text(name)
    parts = {
        "text": {"tokenizer": {"file": str(tmp_path / "vocab.txt"), "length": 3}, "without": "."},
        "clip": {"folder": str(tmp_path / "clip")},
        "none": {"file": None, "folder": str(tmp_path / "not there")},
    }
    training = {stage: {"init_from": None} for stage in ("autoencoder", "denoiser")}
    return {"conditioning": {"_target_": "frido.Several", "parts": parts}, "training": training}


FILE, FOLDER = "conditioning.parts.text.tokenizer.file", "conditioning.parts.clip.folder"


def test_every_file_and_folder_is_found_and_hashed(config, tmp_path):
    before = outside.contents(config)
    assert set(before) == {FILE, FOLDER} and all(len(digest) == 64 for digest in before.values())
    (tmp_path / "clip" / ".cache").write_text("when it was downloaded")
    assert outside.contents(config) == before
    (tmp_path / "clip" / "model.safetensors").write_text("others")
    (tmp_path / "vocab.txt").write_text("[UNK]\n")
    after = outside.contents(config)
    assert after[FILE] != before[FILE] and after[FOLDER] != before[FOLDER]
    (tmp_path / "clip" / "config.json").rename(tmp_path / "clip" / "other.json")
    assert outside.contents(config)[FOLDER] != after[FOLDER]


@pytest.fixture
def session(config, tmp_path) -> Session:
    """A run with what stages before its second one left, and one checkpoint of that."""
    run = tmp_path / "run"
    for stage in ("data", "autoencoder"):
        (run / stage).mkdir(parents=True)
    (run / "data" / "dataset.json").write_text("{}")
    (run / "stages.json").write_text(json.dumps({"data": "data", "autoencoder": "autoencoder"}))
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    return opened(run, trained=True)


def opened(run, *, trained=False) -> Session:
    found = Session(directory=run, device=torch.device("cpu"), drawing=AS_FROZEN)
    if trained:
        weights = nn.Linear(1, 1).state_dict()
        state = {"facts": found.facts}
        checkpoint.write(run, checkpoint.Checkpoint(8, weights, {}, {}, state), keep=newest(1))
    return found


def test_checkpoints_remember_them_beside_data_and_first_stage(session):
    assert set(session.facts) == {"data", "autoencoder", FILE, FOLDER}
    outside.check_unchanged(outside.contents(session.config), session.directory)


@pytest.mark.parametrize(("file", "place"), [("vocab.txt", FILE), ("clip/model.safetensors", FOLDER)])
def test_a_changed_file_is_refused_before_a_model_is_built(session, tmp_path, file, place):
    """When a training goes on, and when a finished run is sampled."""
    (tmp_path / file).write_text("others")
    for build in (session.new_task, opened(session.directory).trained_task):
        session.__dict__.pop("_outside", None)
        with pytest.raises(FridoError, match=place):
            build()


def test_what_remembers_nothing_is_not_questioned(session, tmp_path):
    """Converted checkpoints; and damaged ones, which are refused where their weights are read."""
    now = {FILE: "other"}
    (state,) = session.directory.glob("checkpoints/*/state.json")
    with pytest.raises(FridoError):
        outside.check_unchanged(now, session.directory)
    for text in ('{"images_seen": 0}', '{"facts": {}}', "{"):
        state.write_text(text)
        outside.check_unchanged(now, session.directory)
