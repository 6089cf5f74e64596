"""The converter's door, on checkpoints made with official names, and what other commands make of its run."""

import copy
import json
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from frido.cli.build import build
from frido.convert import main
from frido.report.__main__ import main as report
from frido.run import main as run
from tests.importers import official

SMALL = [
    *("debug=smoke", "size=tiny", "size.resolution=32", "tracking=files", "metrics=none"),
    *("size.scenes=16", "data.source.val=4", "data.source.test=4"),
]


def test_code_in_a_checkpoint_is_refused(tmp_path, capsys):
    class Evil:
        def __reduce__(self):
            return (print, ("code from the checkpoint ran",))

    with (tmp_path / "model.ckpt").open("wb") as file:
        pickle.dump({"state_dict": Evil()}, file, protocol=2)
    assert main([f"checkpoint={tmp_path / 'model.ckpt'}"]) == 2
    told = capsys.readouterr()
    assert "never run" in told.err and "code from the checkpoint ran" not in told.out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["kind=gpt", "checkpoint=nowhere.ckpt"], "first_stage"),
        (["weights=best", "checkpoint=nowhere.ckpt"], "ema or raw"),
        (["checkpoint=nowhere.ckpt"], "no such file"),
        (["chekpoint=model.ckpt"], "chekpoint=model.ckpt"),
    ],
)
def test_bad_arguments_are_explained(capsys, arguments, word):
    assert main(arguments) == 2
    assert word in capsys.readouterr().err


def test_help(capsys):
    assert main(["--help"]) == 0
    assert "kind" in capsys.readouterr().out


def checkpoint(folder: Path, config, **more) -> Path:
    """Write the checkpoint of a first stage; return it."""
    weights = official.fabricate(config)[0].weights
    torch.save({"state_dict": {**weights, "loss.logvar": torch.zeros(())}, **more}, folder / "model.ckpt")
    return folder / "model.ckpt"


def directory(root: Path, name: str = "converted") -> Path:
    (config,) = (root / "runs" / name).glob("*/config.yaml")
    return config.parent


@pytest.mark.parametrize("config", [official.VQ, official.KL, official.MS], ids=["VQ", "KL", "MS"])
def test_a_converted_first_stage_is_a_run(tmp_path, monkeypatch, config):
    """From the checkpoint to a stage that holds its weights, calibrated, and reconstructs as the official code does."""
    monkeypatch.chdir(tmp_path)  # paths in a run directory are relative to where commands are typed
    _, image, expected = official.fabricate(config)
    asked = [f"checkpoint={checkpoint(tmp_path, config)}", "name=published/model", *SMALL]
    assert main(asked) == 0
    place = directory(Path(), "published/model")
    assert report([str(place), f"--out={tmp_path / 'page.html'}"]) == 0
    assert run([f"run={place}", "stages=[data,autoencoder]"]) == 0

    stage = place / json.loads((place / "stages.json").read_text())["autoencoder"]
    state = load_file(stage / "autoencoder.safetensors")
    frozen = yaml.safe_load((place / "config.yaml").read_text())
    converted = load_file(frozen["first_stage"]["weights"])
    assert all(
        torch.equal(state[name], converted[name]) for name in state if name not in ("scale_factors", "calibrated")
    )
    model = build(frozen["autoencoder"]).eval()
    model.load_state_dict(state)
    assert model.calibrated
    with torch.no_grad():
        torch.testing.assert_close(model(image).images, expected, atol=1e-5, rtol=1e-4)
    assert report([str(place), f"--out={tmp_path / 'page.html'}"]) == 0


def test_a_run_directory_is_named_by_what_was_converted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = [f"checkpoint={checkpoint(tmp_path, official.VQ)}", *SMALL]
    assert main(asked) == 0
    place = directory(Path())
    config, (weights,) = (place / "config.yaml").read_text(), (place / "weights").iterdir()
    content = weights.read_bytes()
    assert main(asked) == 0
    assert directory(Path()) == place
    assert (place / "config.yaml").read_text() == config
    assert weights.read_bytes() == content
    facts = json.loads((place / "provenance.json").read_text())
    assert len(facts["continued"]) == 1
    assert len(facts["converted"]["sha256"]) == 64 and facts["converted"]["dropped"] == ["loss.logvar"]

    changed = official.fabricate(official.VQ)[0].weights
    changed["decoder.conv_out.bias"] += 1
    torch.save({"state_dict": changed}, tmp_path / "model.ckpt")
    assert main(asked) == 0
    assert len(list(Path("runs/converted").glob("*/config.yaml"))) == 2


def test_a_first_stage_inside_a_diffusion_model(tmp_path, capsys):
    """With its prefix, its averages, its scale factors, and a trainer's objects around it."""
    weights = official.fabricate(official.MS)[0].weights
    state = {f"first_stage_model.{name}": tensor for name, tensor in weights.items()}
    state |= {f"first_stage_model.model_ema.{name.replace('.', '')}": tensor for name, tensor in weights.items()}
    state |= {"model.diffusion_model.out.weight": torch.zeros(1), "scale_factor": torch.tensor([0.5, 1.0, 2.0])}
    torch.save({"state_dict": state}, tmp_path / "model.ckpt")
    asked = [f"checkpoint={tmp_path / 'model.ckpt'}", f"run.root={tmp_path / 'runs'}", *SMALL]
    assert main(asked) == 2
    assert "kind=first_stage" in capsys.readouterr().err
    assert main([*asked, "kind=first_stage"]) == 0
    told = capsys.readouterr().out
    assert f"{len(weights)} of model_ema.*" in told
    (file,) = (directory(tmp_path) / "weights").iterdir()
    made = load_file(file)
    assert made["scale_factors"].tolist() == [0.5, 1.0, 2.0]
    finest_first = weights["post_quant_conv.weight"].split(3, dim=1)
    assert torch.equal(made["mix.weight"], torch.cat(finest_first[::-1], dim=1))  # the two channel orders


class Stranger:
    """Pickled under the name of a class that is not installed when it is read."""

    def __init__(self):
        self.state = {"best": 1}


@pytest.mark.parametrize(("module", "code"), [("pytorch_lightning.callbacks", 0), ("stranger.callbacks", 2)])
def test_objects_of_a_trainer_beside_the_weights(tmp_path, monkeypatch, capsys, module, code):
    """Lightning pickles its callbacks' classes; they are read as nothing. Anybody else's are refused."""
    monkeypatch.setattr(Stranger, "__module__", module)
    with monkeypatch.context() as there:
        for name in (module.partition(".")[0], module):
            there.setitem(sys.modules, name, types.ModuleType(name))
        there.setattr(sys.modules[module], "Stranger", Stranger, raising=False)
        file = checkpoint(tmp_path, official.VQ, callbacks={Stranger: Stranger()})
    assert main([f"checkpoint={file}", f"run.root={tmp_path / 'runs'}", *SMALL]) == code
    assert ("never run" in capsys.readouterr().err) == bool(code)


def test_numpy_numbers_beside_the_weights(tmp_path, capsys):
    """Schedulers leave them in the optimizer's state; they are read as nothing."""
    file = checkpoint(tmp_path, official.VQ, lr_schedulers=[{"_last_lr": [np.float64(1e-4)]}])
    assert main([f"checkpoint={file}", f"run.root={tmp_path / 'runs'}", *SMALL]) == 0
    assert "run directory" in capsys.readouterr().out


def test_the_official_yaml_must_agree(tmp_path, capsys):
    config = copy.deepcopy(official.MS)
    file, yml = checkpoint(tmp_path, config), tmp_path / "model.yaml"
    asked = [f"checkpoint={file}", f"config={yml}", f"run.root={tmp_path / 'runs'}", *SMALL]
    config["edconfig"]["num_res_blocks"] = 3
    yml.write_text(yaml.safe_dump({"model": {"params": config}}))
    assert main(asked) == 2
    assert "edconfig.num_res_blocks" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()

    yml.write_text("model: {params: 3}")
    assert main(asked) == 2
    assert "model.params" in capsys.readouterr().err

    params = {"first_stage_config": {"params": official.MS}, "scale_factor": 0.25}
    yml.write_text(yaml.safe_dump({"model": {"params": params}}))
    assert main(asked) == 0
    place = directory(tmp_path)
    frozen = yaml.safe_load((place / "config.yaml").read_text())
    assert frozen["autoencoder"]["quantizer"][0]["commitment"] == official.MS["quant_beta"]
    (file,) = (place / "weights").iterdir()
    assert load_file(file)["scale_factors"].tolist() == [0.25, 0.25, 0.25]


@pytest.mark.parametrize("name", ["encoder.down.0.block.0.norm1.bias", "decoder.conv_in.weight"])
def test_half_a_first_stage_is_refused(tmp_path, capsys, name):
    weights = official.fabricate(official.VQ)[0].weights
    del weights[name]
    torch.save(weights, tmp_path / "model.ckpt")
    assert main([f"checkpoint={tmp_path / 'model.ckpt'}", f"run.root={tmp_path / 'runs'}", *SMALL]) == 2
    assert ("missing" in (told := capsys.readouterr().err)) or name in told
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("argument", "word"),
    [
        ("autoencoder=msvqgan", "what the checkpoint describes"),
        ("autoencoder.channels=4", "what the checkpoint describes"),
        ("first_stage.weights=x", "what the checkpoint describes"),
        ("out=x.safetensors", "run.root"),
        ("name=../elsewhere", "letters"),
        ("sizze=tiny", "size"),
    ],
)
def test_what_the_checkpoint_decides_is_not_asked_for(tmp_path, capsys, argument, word):
    assert main(["checkpoint=nowhere.ckpt", argument, f"run.root={tmp_path / 'runs'}"]) == 2
    assert word in capsys.readouterr().err
