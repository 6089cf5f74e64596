"""The recipes of the Frido paper: settings, commands, and the way from a dataset's own files to the page."""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.schema import check
from frido.contracts.errors import FridoError
from frido.pack import main as pack
from frido.run import main as run
from tests.conf.menu import CONF, GROUPS, read

DATA = [name for name in GROUPS["data"] if "packed" in read(CONF / "data" / f"{name}.yaml").get("defaults", [])]
SMALL = ["size=tiny", "size.resolution=32", "debug=smoke", "tracking=files", "hardware.threads=1", "size.images=64",
         "size.autoencoder_images=64", "size.watched=8"]  # fmt: skip

PUBLISHED = {
    "coco_label2im": ("Random1d", "Whole", "OfCrop", 0.5, 30, "LabelTokens", "NoGuidance", "f16f8"),
    "coco_label2im_sg2im": ("Random1d", "Centre", "OfCrop", 0.5, 8, "LabelTokens", "NoGuidance", "f16f8"),
    "coco_layout2im": ("Centre", "Centre", "OfImage", 0.5, 8, "LayoutTokens", "NoGuidance", "f8f4"),
    "coco_sg2im": ("Random1d", "Centre", "OfCrop", 0.0, 8, "SceneGraph", "ClassifierFree", "f16f8"),
    "coco_t2i": ("Random1d", "Centre", "OfCrop", 0.5, 30, "Captions", "ClassifierFree", "f16f8"),
    "coco_t2i_clip": ("Random1d", "Centre", "OfCrop", 0.5, 30, "FrozenClip", "ClassifierFree", "f16f8"),
    "openimages_layout2im": ("Random1d", "Centre", "OfImage", 0.5, 30, "LayoutTokens", "NoGuidance", "f8f4"),
    "vg_layout2im": ("Random1d", "Centre", "OfImage", 0.5, 30, "LayoutTokens", "NoGuidance", "f8f4"),
    "vg_sg2im": ("Random1d", "Centre", "OfCrop", 0.0, 30, "SceneGraph", "ClassifierFree", "f16f8"),
}
"""The crop in training and after it, what boxes are fractions of, the share mirrored, the most objects, the condition,
the guidance and the first stage, in the configurations of davidhalladay/Frido (but for what graphs are told by)."""

GRIDS = {"coco_layout2im": (1024, 0), "openimages_layout2im": (8192, 0), "vg_layout2im": (1024, 179)}
"""Ids of a layout, and the shift of those of places."""


def test_every_recipe_of_the_paper_is_there():
    """And no other recipe reads packed data without its row here."""
    chosen = {name: read(CONF / "experiment" / f"{name}.yaml")["defaults"] for name in GROUPS["experiment"]}
    assert {name for name, options in chosen.items() if options[0]["override /data"] in DATA} == PUBLISHED.keys()


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_recipe_is_as_published(recipe):
    """With what its file says is published beyond it, too."""
    config = compose("run", [f"experiment={recipe}", *beyond(recipe)])
    check(config)
    reading, condition, guidance = config["data"]["reading"], config["conditioning"], config["diffusion"]["guidance"]
    crops = name_of(reading["crop"]), name_of(reading["held_out_crop"]), name_of(reading["coordinates"])
    plain = name_of(composed(recipe)["conditioning"])
    factors = {(16, 8): "f16f8", (8, 4): "f8f4"}[tuple(config["autoencoder"]["factors"])]
    found = (*crops, reading["flip"], reading["max_objects"], plain, name_of(guidance), factors)
    assert found == PUBLISHED[recipe]
    assert config["size"]["resolution"] == 256 and name_of(config["task"]["loss"]) == "L1"
    assert guidance.get("weight", 1.5) == 1.5
    assert [config["diffusion"]["schedule"][key] for key in ("start", "end", "num_steps")] == [0.0015, 0.0155, 1000]
    assert name_of(config["diffusion"]["parameterization"]) == "Eps"
    assert config["diffusion"]["sampler"]["steps"] == 200 and config["diffusion"]["sampler"]["eta"] == 1.0
    if recipe in GRIDS:
        assert (condition["num_tokens"], condition["shift"]) == GRIDS[recipe] and condition["crop"]


@cache
def composed(recipe: str) -> dict[str, Any]:
    return compose("run", [f"experiment={recipe}"])


def beyond(recipe: str) -> list[str]:
    """Return the overrides that a recipe's file says are published."""
    text = (CONF / "experiment" / f"{recipe}.yaml").read_text()
    block = re.search(r"^# Published with (.*\n(?:#   .*\n)*)", text, re.MULTILINE)
    assert block is not None
    return block[1].replace("#", "").split()


def name_of(node: dict[str, Any]) -> str:
    return node["_target_"].rpartition(".")[2]


@pytest.mark.parametrize("option", DATA)
def test_without_shards_the_commands_are_the_right_ones(option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = compose("run", [f"data={option}"])["data"]
    with pytest.raises(FridoError) as error:
        build(data).prepare(tmp_path)
    told = error.value.do
    source, out = re.search(r"frido\.pack source=(\w+) source\.root=DIR out=(\S+)", told).groups()  # type: ignore[union-attr]
    recipe = re.search(r"frido\.run experiment=(\w+) data=scenes", told)[1]  # type: ignore[index]
    assert source in GROUPS["source"] and out == data["shards"] and recipe in GROUPS["experiment"]


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_recipe_says_how_its_data_are_packed(recipe):
    config = composed(recipe)
    data = config["data"]
    text = (CONF / "experiment" / f"{recipe}.yaml").read_text()
    assert f"frido.pack source={data['pack_source']} source.root=DIR out={data['shards']}\n" in text


def test_photographs_and_scenes_are_scored_by_what_knows_them():
    """And by whatever a person asks for."""
    chosen = [[], ["data=scenes"], ["metrics=none"]]
    found = [compose("run", ["experiment=coco_sg2im", *more])["metrics"]["metrics"] for more in chosen]
    assert [list(metrics) for metrics in found] == [["features"], ["features", "judge"], []]
    assert [name_of(metrics["features"]["extractor"]) for metrics in found[:2]] == ["InceptionIfFound", "SceneFeatures"]


def test_layouts_from_files_to_page(tmp_path, capsys):
    """COCO's own files, packed, cropped at random and mirrored: latents cannot be kept, numbers say what is missing."""
    assert pack(["source=scenes", "format=coco", f"out={tmp_path / 'raw'}", "source.scenes.segmentation=true",
                 "source.scenes.min_objects=3", "source.train=24", "source.val=8", "source.test=0"]) == 0  # fmt: skip
    assert pack(["source=coco_layout2im", f"source.root={tmp_path / 'raw'}", f"out={tmp_path / 'packed'}",
                 "~source.filters.categories", "format.processes=1"]) == 0  # fmt: skip
    finished = trained("coco_layout2im", tmp_path, tmp_path / "packed", ["crop@data.reading.crop=random_2d"])
    assert "encoded while training" in capsys.readouterr().out
    told = json.loads((tmp_path / "packed" / "dataset.json").read_text())["splits"]
    assert len(list((finished / "samples" / "val" / "generated").glob("*.png"))) == told["val"]["scenes"] > 0


COCO, VG = "coco2017", "visual_genome"
SAMPLES = {
    "vg_sg2im": ("visual_genome", VG),
    "vg_layout2im": ("vg_layout2im", VG),
    "coco_sg2im": ("coco_sg2im", COCO),
    "coco_layout2im": ("coco_layout2im", COCO),
    "coco_t2i": ("coco_t2i", COCO),
    "coco_label2im": ("coco_label2im", COCO),
    "openimages_layout2im": ("openimages_layout2im", "open_images"),
}
"""The source and the folder of real files."""


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SAMPLES)
def test_recipe_on_real_files(recipe, tmp_path):
    if "FRIDO_REALDATA" not in os.environ:
        pytest.skip("FRIDO_REALDATA is not set")
    real = Path(os.environ["FRIDO_REALDATA"])
    source, folder = SAMPLES[recipe]
    settings = ["source.year=2017"] if source == "coco_t2i" else []
    if folder == VG:
        settings = [f"source.splits={real / 'sg2im/vg_splits.json'}"]
        settings += [f"source.filters.frequent_{kind}.least=1" for kind in ("attributes", "categories", "predicates")]
    out = tmp_path / "packed"
    assert pack([f"source={source}", f"source.root={real / folder}", f"out={out}", *settings]) == 0
    trained(recipe, tmp_path, out, [])


def trained(recipe: str, desk: Path, shards: Path, settings: list[str]) -> Path:
    """Return the directory of a run that trained, drew, scored and reported at a few steps."""
    arguments = [f"experiment={recipe}", f"data.shards={shards}", f"run.root={desk / 'runs'}", *SMALL, *settings]
    assert run(arguments) == 0
    (directory,) = (desk / "runs" / recipe).glob("*/")
    cards = json.loads((directory / "evaluation.json").read_text())
    assert {name.partition("/")[0] for name in cards} == {"fid", "fid_subsampled", "is", "kid", "precision"}
    assert all("refused" in card for card in cards.values()), "a few images, or no weights of Inception"
    assert "data:image/png;base64" in (directory / "report.html").read_text()
    return directory
