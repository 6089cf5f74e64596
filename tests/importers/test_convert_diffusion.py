"""Whole diffusion models through the converter's door, and what other commands make of the runs."""

import json
from functools import cache

import pytest
import torch
import yaml
from safetensors.torch import load_file

from frido.cli.session import Session
from frido.contracts import rng
from frido.convert import main
from frido.data.sources.words import SHAPES
from frido.run import main as run
from tests.importers import checkpoints, official
from tests.importers.checkpoints import CROSS, UNET, config, encoder
from tests.parity import golden

SMALL = [
    *("debug=smoke", "size=tiny", "tracking=files", "metrics=none", "hardware.precision=fp32", "size.scenes=16"),
    *("data.source.val=4", "data.source.test=4", "size.samples=2", "diffusion.sampler.steps=4", "hardware.threads=1"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return where runs are put: they share what they can."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def convert(tmp_path, runs):
    """Return what writes a checkpoint, converts it, and returns the exit code and the folder of its runs."""

    def do(whole, tensors, *more):
        asked = checkpoints.write(tmp_path, whole, tensors)
        return main([*asked, f"run.root={runs}", f"name={tmp_path.name}", *SMALL, *more]), runs / tmp_path.name

    return do


def only(folder):
    (found,) = folder.glob("*/config.yaml")
    return found.parent


def trained(place):
    """Return session and task as sampling finds them, and held-out scenes."""
    with Session.open(place) as session:
        (batch,) = session.in_order("val", batch=2, count=2)
        return session, session.trained_task(), batch


def predicted(task, context):
    """Return latents, times, and what the converted denoiser makes of them."""
    x, time = torch.randn(2, 2, 8, 8), torch.tensor([3.0, 900.0])
    with torch.no_grad():
        return x, time, task.denoiser(x, time, task.denoiser.condition(scale=0, coarse=(), context=context))


# Frido, against recorded numbers


def whole_frido(pair):
    """Return YAML and tensors of the model that a pair was recorded of; what was trained last is not its average."""
    given = pair.config
    params = {
        "linear_start": given["linear_start"], "linear_end": given["linear_end"], "timesteps": given["timesteps"],
        "noise_mix_ratio": given["noise_mix_ratio"], "loss_type": "l1", "cond_stage_key": "objects",
        "image_size": given["unet"]["image_size"], "scale_by_std": True, "adopted_scale_factor": True,
    }  # fmt: skip
    data = {"no_tokens": given["cond_stage"]["vocab_size"], "max_objects_per_image": pair["tokens"].shape[1]}
    text = encoder("BERTEmbedder", **given["cond_stage"])
    whole = config(given["first_stage"], given["unet"], text, model=params, data=data)
    prefix = "model.diffusion_model."
    unet = {name.removeprefix(prefix): tensor for name, tensor in pair.weights.items() if name.startswith(prefix)}
    tensors = {name: tensor + 0.01 if name.startswith(prefix) else tensor for name, tensor in pair.weights.items()}
    tensors |= checkpoints.averaged(unet) | {"scale_factor": pair["scale_factor"]}
    tensors |= checkpoints.buffers(start=given["linear_start"], end=given["linear_end"], steps=given["timesteps"])
    recorded = {name: pair[f"buf/{name}"] for name in checkpoints.BUFFERS if f"buf/{name}" in pair}
    assert len(recorded) == 11
    return whole, tensors | recorded


@pytest.mark.parametrize("path", golden.cases("frido.models.diffusion.frido.FridoDiffusion"))
def test_frido_samples_the_recorded_images(convert, monkeypatch, capsys, path):
    """From the checkpoint through the door and the session, to the images that the official code drew."""
    pair = golden.load(path)
    code, folder = convert(*whole_frido(pair), "diffusion.sampler.eta=0.0", "data.source.scenes.resolution=32")
    assert code == 0
    assert "averaged" in capsys.readouterr().out
    assert run([f"run={only(folder)}", "stages=[data,autoencoder,denoiser]"]) == 0
    assert "nothing to train" in capsys.readouterr().out

    session, task, batch = trained(only(folder))
    batch = batch._replace(annotations=batch.annotations._replace(categories=pair["tokens"]))
    torch.testing.assert_close(task.conditioner(batch.annotations).tokens, pair["cond"], atol=1e-5, rtol=1e-4)
    assert session.frozen.scale_factors.tolist() == pair["scale_factor"].tolist()
    start = pair["ddim4_x_T"].split(session.frozen.channels, dim=1)

    def recorded(keys, *, seed, purpose, shape, device):
        """What a chain starts from is recorded, and a deterministic one adds nothing to it."""
        *_, scale, step = purpose.split("/")
        return start[int(scale)] if step == "-1" else torch.zeros(len(keys), *shape)

    monkeypatch.setattr(rng, "normal", recorded)
    images = session.generate(task, batch)
    torch.testing.assert_close(images, pair["ddim4_image"].clamp(-1, 1), atol=1e-4, rtol=1e-4)


# LDM, against the official U-Net as `official_unet` has it

CLASSES = len(SHAPES)
EMBEDDER = encoder("ClassEmbedder", n_classes=CLASSES + 1, embed_dim=24)


def by_class(**model):
    return config(official.KL, UNET | CROSS, EMBEDDER, model=model)


@cache
def of_classes():
    """Return tensors and U-Net of a model of classes."""
    condition = {"embedding.weight": (CLASSES + 1, 24)}
    return checkpoints.fabricate(by_class(), condition, scale_factor=0.5)


def test_a_converted_model_is_a_run_that_is_trained(convert, tmp_path, capsys):
    """All stages, a page, somebody's own scene; and it computes what the official U-Net does."""
    tensors, unet = of_classes()
    code, folder = convert(by_class(), tensors, "conditioning=class")
    assert code == 0
    told = capsys.readouterr().out
    assert f"{CLASSES} categories" in told and f"dropped on purpose: {len(unet.weights)} of model.*" in told
    place = only(folder)
    frozen = (place / "config.yaml").read_text()
    assert run([f"run={place}"]) == 0
    assert len(list((place / "samples" / "test" / "generated").glob("*.png"))) == 2
    assert (place / "report.html").is_file()
    scene = [{"objects": [{"name": f"red {SHAPES[0]}", "box": [0.1, 0.1, 0.6, 0.6]}]}]
    (tmp_path / "my.json").write_text(json.dumps(scene))
    assert run([f"run={place}", f"scenes={tmp_path / 'my.json'}"]) == 0
    assert (place / "samples" / "my" / "generated" / "000000.png").is_file()

    session, task, batch = trained(place)
    context = task.conditioner(batch.annotations)
    x, time, made = predicted(task, context)
    with torch.no_grad():
        torch.testing.assert_close(made, unet(x, time, context=context.tokens), atol=1e-5, rtol=1e-4)
    table = tensors["cond_stage_model.embedding.weight"]
    assert torch.equal(task.conditioner.empty(batch.annotations).tokens[0, 0], table[CLASSES])
    assert session.frozen.scale_factors.tolist() == [0.5]
    diffusion = session.config["diffusion"]
    assert diffusion["guidance"]["weight"] == 1.5 and diffusion["sampler"]["eta"] == 0.0
    assert session.config["size"]["resolution"] == 32
    facts = json.loads((place / "provenance.json").read_text())
    assert facts["converted"]["weights"] == "ema"
    assert session.protocol(count=1, note=None)["ema"]["name"] == "classic"
    assert facts["parameters"]["denoiser"] == sum(p.numel() for p in task.parameters())

    assert convert(by_class(), tensors, "conditioning=class")[0] == 0  # again: the same place, the same content
    assert only(folder) == place and (place / "config.yaml").read_text() == frozen


def test_weights_as_last_trained(convert, capsys):
    tensors, _ = of_classes()
    code, folder = convert(by_class(), tensors, "conditioning=class", "weights=raw")
    assert code == 0 and "not averaged" in capsys.readouterr().out
    checkpoint = only(folder) / "checkpoints" / "000000000000"
    assert not list(checkpoint.glob("ema.*")), "what is no average is not called one"
    raw = load_file(checkpoint / "model.safetensors")
    assert torch.equal(raw["denoiser.outputs.0.2.bias"], tensors["model.diffusion_model.out.2.bias"])
    assert convert(by_class(), tensors, "conditioning=class")[0] == 0
    assert len(list(folder.glob("*/config.yaml"))) == 2, "other weights, another run"


def test_without_averages(convert, capsys):
    """Never silently: either the YAML says that there are none, or somebody does."""
    tensors = {name: tensor for name, tensor in of_classes()[0].items() if not name.startswith("model_ema.")}
    code, folder = convert(by_class(), tensors, "conditioning=class")
    assert code == 2 and "weights=raw" in capsys.readouterr().err and not folder.exists()
    assert convert(by_class(use_ema=False), tensors, "conditioning=class")[0] == 0
    assert "use_ema: False" in capsys.readouterr().out


def unet(**changed):
    return {"unet_config": {"params": UNET | CROSS | changed}}


DAMAGE = {
    "no average of a tensor": ({"model_ema.diffusion_modelout2weight": None}, {}, [], "no average of out.2.weight"),
    "an average of nothing": ({"model.diffusion_model.out.2.weight": None}, {}, [], "1 unmatched"),
    "one too many in the denoiser": ({"model_ema.strange": torch.ones(1)}, {}, [], "strange"),
    "one too many in the condition": ({"cond_stage_model.strange": torch.ones(1)}, {}, [], "strange"),
    "one of no part": ({"optimizer.strange": torch.ones(1)}, {}, [], "optimizer.strange"),
    "half a condition": ({"cond_stage_model.embedding.weight": None}, {}, [], "missing: embedding.weight"),
    "half a first stage": ({"first_stage_model.quant_conv.bias": None}, {}, [], "missing: project.bias"),
    "another schedule": ({}, {"linear_end": 0.0155}, [], "at step 999"),
    "another length": ({}, {"timesteps": 500}, [], "1000 numbers"),
    "no schedule": ({"betas": None}, {}, [], "no such tensor"),
    "no scale factor": ({"scale_factor": None}, {"scale_by_std": True}, [], "scale_factor"),
    "another width": ({}, unet(model_channels=64), [], "reshaped"),
    "another context": ({}, unet(context_dim=32), [], "context_dim"),
    "other latents": ({}, unet(out_channels=4), [], "latents"),
    "another first stage": ({}, {"first_stage_config": {"params": official.VQ}}, [], "config: embed_dim"),
    "an unknown encoder": ({}, {"cond_stage_config": encoder("FrozenCLIPEmbedder")}, [], "FrozenCLIPEmbedder"),
    "another condition": ({}, {}, ["conditioning=text"], "class or class_plain"),
    "another kind": ({}, {}, ["kind=frido"], "ldm"),
    "a denoiser of one's own": ({}, {}, ["denoiser=unet"], "what the checkpoint describes"),
    "a schedule of one's own": ({}, {}, ["diffusion/schedule=cosine"], "what the checkpoint describes"),
    "a budget": ({}, {}, ["size.images=64"], "what the checkpoint describes"),
    "no such setting": ({}, {}, ["conditioning=class", "sise.samples=2"], "size.samples"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_error_and_leaves_nothing(convert, capsys, damage):
    changed, settings, arguments, word = DAMAGE[damage]
    tensors = {name: tensor for name, tensor in (of_classes()[0] | changed).items() if tensor is not None}
    code, folder = convert(by_class(**settings), tensors, *(arguments or ["conditioning=class"]))
    told = capsys.readouterr().err
    assert code == 2 and word in told and "Traceback" not in told
    assert not folder.exists()


# What is shown of the image

RESCALER = encoder("SpatialRescaler", n_stages=2, in_channels=CLASSES + 1, out_channels=3)
SHOWN = {
    "masked": ("__is_first_stage__", {}, []),
    "segmentation": (RESCALER, {"channel_mapper.weight": (3, CLASSES + 1, 1, 1)}, ["data=scenes_segmented"]),
    "low_resolution": ({"target": "torch.nn.Identity"}, {}, []),
}


@pytest.mark.parametrize("view", SHOWN)
def test_models_that_are_shown_images(convert, view):
    """The condition lies behind the latents there, and ours before them; both see the same."""
    given, condition, more = SHOWN[view]
    whole = config(official.KL, UNET | {"in_channels": 5}, given, model={"concat_mode": True})
    tensors, unet = checkpoints.fabricate(whole, condition, scale_factor=0.5)
    if view == "masked":  # the file has the first stage twice
        tensors |= {name.replace("first_stage_model.", "cond_stage_model."): t for name, t in tensors.items()}
    code, folder = convert(whole, tensors, *more)
    assert code == 0
    assert run([f"run={only(folder)}", "stages=[data,autoencoder,sample]"]) == 0
    assert len(list((only(folder) / "samples" / "test" / "shown").glob("*.png"))) == 2

    session, task, batch = trained(only(folder))
    assert session.config["view"]["_target_"].split(".")[3] == view
    shown = task.view(session.with_view(batch, task.view).view)
    context = task.conditioner(batch.annotations)._replace(map=shown)
    x, time, made = predicted(task, context)
    assert shown.shape[2:] == x.shape[2:]
    with torch.no_grad():
        torch.testing.assert_close(made, unet(torch.cat([x, shown], dim=1), time), atol=1e-5, rtol=1e-4)


def test_a_file_without_a_diffusion_model(tmp_path, capsys):
    torch.save(official.fabricate(official.KL)[0].weights, tmp_path / "model.ckpt")
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(by_class()))
    asked = [f"checkpoint={tmp_path / 'model.ckpt'}", f"config={tmp_path / 'model.yaml'}", f"run.root={tmp_path}/r"]
    assert main([*asked, "kind=ldm"]) == 2
    assert "kind=first_stage" in capsys.readouterr().err and not (tmp_path / "r").exists()
