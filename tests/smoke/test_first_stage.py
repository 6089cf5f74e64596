"""The first stage by itself: its numbers, its codes, weights from elsewhere, and a page of it alone."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from frido.cli.build import build
from frido.cli.session import Session
from frido.run import main as run

SMALL = ["size=tiny", "debug=smoke", "tracking=files", "size.resolution=32", "size.scenes=96", "hardware.threads=1",
         "size.autoencoder_images=64", "data.source.val=104", "data.source.test=8"]  # fmt: skip
SHAPES = {"scale_0": (1, 4, 4), "scale_1": (1, 8, 8)}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def make(root):
    """Run the main recipe small and return its run directory and that of its first stage."""

    def made(*overrides: str, stages: str = "data,autoencoder") -> tuple[Path, Path]:
        before = set(root.glob("main/*/"))
        assert run([*SMALL, f"run.root={root}", f"stages=[{stages}]", *overrides]) == 0
        (directory,) = set(root.glob("main/*/")) - before
        return directory, (directory / json.loads((directory / "stages.json").read_text())["autoencoder"]).resolve()

    return made


@pytest.fixture(scope="module")
def trained(make):
    return make(stages="data,autoencoder,codes,report")


def cards(stage: Path) -> dict:
    return json.loads((stage / "evaluation.json").read_text())


def test_numbers_of_the_finished_first_stage(trained):
    _, stage = trained
    found = cards(stage)
    per_scale = {f"{name}_{scale}" for name in ("psnr_alone", "perplexity", "usage", "dead_codes") for scale in (0, 1)}
    held_out = {f"held_out/{name}" for name in {"psnr", "ssim", "rfid/scenes@104", "rkid/scenes@104"} | per_scale}
    assert found.keys() == held_out | {"parameters", "images_per_second"}
    for name in held_out:
        assert math.isfinite(found[name]["value"]) and found[name]["images"] == 104 and found[name]["split"] == "val"
    weights = load_file(stage / "autoencoder.safetensors")
    assert found["parameters"]["value"] < sum(tensor.numel() for tensor in weights.values()), "buffers do not count"
    dead, usage = (found[f"held_out/{name}_1"]["value"] for name in ("dead_codes", "usage"))
    assert dead == pytest.approx(512 * (1 - usage))
    lines = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["held_out/psnr"] == found["held_out/psnr"]["value"], "looked at the same 104 images at the end"
    (picture,) = (stage / "pictures" / "reconstructions").glob("*.png")
    with Image.open(picture) as image:
        assert image.size == (8 * 32, 4 * 32), "originals, reconstructions, and each of two scales alone"


def test_a_page_of_the_first_stage_alone(trained):
    directory, _ = trained
    page = (directory / "report.html").read_text()
    assert "first stage finished" in page and "rfid/scenes@104" in page and "on 104 images of val" in page
    told = " ".join(re.findall(r'<li class="(?:note|warning)">(.*?)</li>', page))
    assert "is not in the run directory" not in told and '<section id="metrics">' not in page


def test_codes_are_those_of_the_latents(trained, root):
    directory, _ = trained
    with Session.open(directory) as session, session.autocast():
        frozen = session.frozen
        for split, count in (("train", 96), ("val", 104), ("test", 8)):
            with safe_open(directory / "codes" / f"{split}.safetensors", framework="pt") as file:
                codes = {name: file.get_tensor(name) for name in sorted(file.keys())}
                about = {name: json.loads(text) for name, text in file.metadata().items()}
            assert {name: tuple(map.shape) for name, map in codes.items()} == {
                name: (count, *shape) for name, shape in SHAPES.items()
            }
            assert all(map.dtype == torch.int32 for map in codes.values())
            batches = list(session.in_order(split, batch=64, count=count))
            ids = [name for batch in batches for name in batch.ids]
            assert about == {"ids": ids, "num_codes": [512, 512]}
            pyramid = frozen.codes_to_pyramid(tuple(map.long() for map in codes.values()))
            drawn = torch.cat([frozen.decode(frozen.encode(batch.pixels)) for batch in batches])
            torch.testing.assert_close(frozen.decode(pyramid), drawn, atol=0, rtol=0)


def test_codes_of_what_has_none_are_refused(root, capsys):
    arguments = ["autoencoder=identity", "stages=[data,autoencoder,codes]", f"run.root={root / 'identity'}"]
    assert run([*SMALL, *arguments]) == 2
    assert "stages=[codes]" in capsys.readouterr().err


def test_weights_from_elsewhere_are_used_as_they_are(trained, make):
    _, stage = trained
    _, other = make("size.autoencoder_images=0", f"first_stage.weights={stage / 'autoencoder.safetensors'}")
    ours, theirs = (load_file(place / "autoencoder.safetensors") for place in (other, stage))
    torch.testing.assert_close(ours, theirs, atol=0, rtol=0)
    same, found = cards(stage), cards(other)
    assert same.pop("images_per_second") and found == same
    assert not (other / "checkpoints").exists() and list(other.glob("pictures/reconstructions/000000000000.png"))


def test_scale_factors_are_measured_once(trained, make, tmp_path):
    """Weights without them get some; a training that starts from weights with them keeps these."""
    _, stage = trained
    weights = load_file(stage / "autoencoder.safetensors")
    measured = weights["scale_factors"].clone()
    for name, factors in (("without", torch.ones(2)), ("with", torch.tensor([3.0, 5.0]))):
        changed = {"scale_factors": factors, "calibrated": torch.tensor(name == "with")}
        save_file(weights | changed, tmp_path / f"{name}.safetensors")
    _, calibrated = make("size.autoencoder_images=0", f"first_stage.weights={tmp_path / 'without.safetensors'}")
    torch.testing.assert_close(load_file(calibrated / "autoencoder.safetensors")["scale_factors"], measured)
    _, kept = make(f"first_stage.weights={tmp_path / 'with.safetensors'}")
    after = load_file(kept / "autoencoder.safetensors")
    assert after["scale_factors"].tolist() == [3.0, 5.0]
    assert not torch.equal(after["decoder.conv_out.weight"], weights["decoder.conv_out.weight"]), "trained on"


def test_several_processes_measure_what_one_does(trained, make):
    """Calibration and held-out numbers: each rank reads its share of the images."""
    _, stage = trained
    weights = load_file(stage / "autoencoder.safetensors")
    file = stage.parent / "uncalibrated.safetensors"
    save_file(weights | {"scale_factors": torch.ones(2), "calibrated": torch.tensor(False)}, file)
    ranks = ["hardware=ddp", "hardware.device=cpu", "hardware.devices=2"]
    given = ["size.autoencoder_images=0", f"first_stage.weights={file}"]
    _, two = make(*given, *ranks, "first_stage.calibration_images=96")
    _, one = make(*given, "first_stage.calibration_images=95")  # another hash; one image less is within the tolerance
    factors = [load_file(place / "autoencoder.safetensors")["scale_factors"] for place in (one, two)]
    torch.testing.assert_close(*factors, atol=0.03, rtol=0.03)
    alone, shared = ({name: card["value"] for name, card in cards(place).items()} for place in (one, two))
    assert shared == pytest.approx(alone, rel=1e-4)


def test_codes_are_counted_over_all_processes(make):
    _, stage = make("hardware=ddp", "hardware.device=cpu", "hardware.devices=2", "autoencoder.seed=1")
    kept = load_file(stage / "checkpoints" / f"{64:012d}" / "model.safetensors")
    assert kept["use.images"] == 64 and kept["use.scale_0"].sum() == 64 * 4 * 4
    assert kept["use.scale_1"].sum() == 64 * 8 * 8


def test_nothing_to_train_and_nothing_trained(root, capsys):
    assert (
        run([*SMALL, "size.autoencoder_images=0", f"run.root={root / 'untrained'}", "stages=[data,autoencoder]"]) == 2
    )
    assert "first_stage.weights" in capsys.readouterr().err


@pytest.mark.parametrize("autoencoder", ["identity", "kl"])
def test_the_whole_job_without_codebooks(make, autoencoder):
    budgets = ["size.images=32", "size.samples=8", "size.watched=8"]
    directory, stage = make(
        f"autoencoder={autoencoder}", *budgets, stages="data,autoencoder,latents,denoiser,sample,evaluate,report"
    )
    found = cards(stage)
    assert not any("perplexity" in name or "alone" in name for name in found)
    if autoencoder == "identity":
        assert found["held_out/psnr"]["value"] == pytest.approx(100) and found["parameters"]["value"] == 0
        assert found["held_out/rfid/scenes@104"]["value"] == pytest.approx(0, abs=1e-2)
    table = json.loads((directory / "stages.json").read_text())["latents"]
    with safe_open((directory / table) / "train.safetensors", framework="pt") as file:
        latents = file.get_tensor("scale_0")
        assert latents.std().item() == pytest.approx(1, abs=0.02)
    config = yaml.safe_load((directory / "config.yaml").read_text())
    made = build(config["autoencoder"])
    assert latents.shape == (96, made.channels[0], 32 // made.factors[0], 32 // made.factors[0])
    assert "held-out images there and back" in (directory / "report.html").read_text()
