"""Averages of other lengths are made after a training, drawn with, and named wherever their numbers are."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from frido.cli.session import Session
from frido.run import main as run

SMALL = ["debug=smoke", "tracking=files", "hardware.threads=1", "hardware.precision=fp32", "size.resolution=32",
         "size.scenes=32", "data.source.val=4", "data.source.test=4", "size.images=64", "size.batch=16",
         "size.warmup_images=0", "size.autoencoder_images=32", "size.watched=2", "size.samples=2", "size.steps=1",
         "size.snapshot_every_images=16", "stages=[data,autoencoder,latents,denoiser]"]  # fmt: skip
NAME, TAG = "sigma_rel_0.075", "test-ema0.075"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    assert run([*SMALL, f"run.root={root}"]) == 0
    (directory,) = (root / "main").glob("*/")
    return directory


@pytest.fixture(scope="module")
def made(trained) -> Path:
    """Return the same run with an average that was made, drawn with and scored."""
    assert run([f"run={trained}", "stages=[ema,sample,evaluate,report]", "ema=0.075"]) == 0
    return trained


def protocol(directory: Path, tag: str) -> dict:
    return json.loads((directory / "samples" / tag / "protocol.json").read_text())["ema"]


def test_what_it_was_made_of_lies_beside_it(made):
    told = json.loads((made / "averages" / f"{NAME}.json").read_text())
    assert [(part["images_seen"], part["sigma_rel"]) for part in told["snapshots"]] == [
        (images, sigma_rel) for images in (16, 32, 48, 64) for sigma_rel in (0.05, 0.10)
    ]
    assert sum(part["coefficient"] for part in told["snapshots"]) == pytest.approx(1)
    assert 0 < told["residual"] < 0.1 and told["images_seen"] == 64
    state = load_file(made / "averages" / f"{NAME}.safetensors")
    kept = {
        sigma: load_file(made / "checkpoints" / f"{64:012d}" / f"ema.power_{sigma}.safetensors")
        for sigma in ("05", "10")
    }
    assert state.keys() == kept["05"].keys()
    key = max(state, key=lambda name: state[name].numel())
    between = (state[key] - kept["05"][key]).norm() + (state[key] - kept["10"][key]).norm()
    assert between < 1.5 * (kept["05"][key] - kept["10"][key]).norm()


def test_it_is_named_by_protocol_cards_and_page(made):
    named = protocol(made, TAG)
    assert (named["name"], named["sigma_rel"], named["images_seen"]) == (NAME, 0.075, 64)
    cards = json.loads((made / "samples" / TAG / "evaluation.json").read_text())
    assert cards and all(card["ema"] == named for card in cards.values())
    assert NAME in (made / "report.html").read_text()


def test_what_is_asked_for_is_drawn_with(made):
    checkpoint = made / "checkpoints" / f"{64:012d}"
    files = {
        "half_life": checkpoint / "ema.half_life.safetensors",
        "power_10": checkpoint / "ema.power_10.safetensors",
        "raw": checkpoint / "model.safetensors",
        NAME: made / "averages" / f"{NAME}.safetensors",
    }
    with Session.open(made) as session:
        own = session.config["training"]["denoiser"]["drawn_with"]
        for name, file in files.items():
            session.config["training"]["denoiser"]["drawn_with"] = name
            weights = session.trained_task().state_dict()
            assert all(torch.equal(weights[key], tensor) for key, tensor in load_file(file).items()), name
    assert own == "half_life"


def test_kept_averages_and_the_weights_as_they_are(made):
    for name in ("power_10", "raw"):
        assert run([f"run={made}", f"ema={name}"]) == 0
        assert protocol(made, f"test-ema_{name}")["name"] == name
    assert protocol(made, "test-ema_power_10")["sigma_rel"] == 0.10
    assert run([f"run={made}", "stages=[sample]", "ema=half_life"]) == 0  # the run's own
    assert protocol(made, "test")["name"] == "half_life"


def test_several_lengths_and_the_same_again(made, capsys):
    before = (made / "averages" / f"{NAME}.safetensors").stat().st_mtime_ns
    assert run([f"run={made}", "ema=[0.03,0.075]"]) == 0
    assert capsys.readouterr().out.count("off the one asked for") == 2
    assert (made / "averages" / "sigma_rel_0.03.safetensors").is_file()
    assert (made / "averages" / f"{NAME}.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["ema=0.2"], "stages=[ema,sample] ema=0.2"),
        (["stages=[ema]"], "stages=[ema] ema=0.1"),
        (["stages=[ema]", "ema=power_10"], "stages=[ema] ema=0.1"),
        (["stages=[ema,sample]", "ema=[0.03,0.1]"], "one average"),
        (["stages=[ema]", "ema=0.3"], "less than 0.28"),
        (["ema=powr_10"], "ema=power_10"),
        (["stages=[ema,denoiser]", "ema=0.1"], "stages"),
        (["stages=[denoiser]", "ema=raw"], "stays as it was frozen"),
        (["ema=0.075", f"tag={TAG}-2", "seed=5"], ""),
    ],
)
def test_refusals_say_what_to_type(made, capsys, arguments, hint):
    assert run([f"run={made}", *arguments]) == (2 if hint else 0)
    assert hint in capsys.readouterr().err


def test_a_recipe_has_nothing_to_make_averages_of(tmp_path, capsys):
    assert run([*SMALL[:-1], "stages=[data,ema]", f"run.root={tmp_path}"]) == 2
    assert "run=RUN_DIR stages=[ema]" in capsys.readouterr().err


def test_without_snapshots(made, capsys):
    folder = made / "snapshots"
    folder.rename(made / "elsewhere")
    try:
        assert run([f"run={made}", "stages=[ema]", "ema=0.12"]) == 2
    finally:
        (made / "elsewhere").rename(folder)
    assert "snapshot_every_images" in capsys.readouterr().err


def test_a_damaged_average_is_refused(made, capsys):
    file = made / "averages" / f"{NAME}.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        assert run([f"run={made}", "ema=0.075", "seed=7"]) == 2
    finally:
        file.write_bytes(content)
    assert "stages=[ema] ema=0.075" in capsys.readouterr().err
