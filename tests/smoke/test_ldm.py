"""Every recipe of latent diffusion, found by its name: all stages at a few steps, and what it is told reaches it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from frido.cli.compose import compose
from frido.cli.session import Session
from frido.contracts.batch import Annotations, Batch
from frido.run import main as run
from tests.conf.menu import CONF

RECIPES = sorted(path.stem for path in (CONF / "experiment").glob("ldm_*.yaml"))
SMALL = ["debug=smoke", "tracking=files", "hardware.threads=1", "hardware.precision=fp32", "size.resolution=32",
         "size.scenes=64", "data.source.val=8", "data.source.test=8", "size.images=64",
         "size.autoencoder_images=64", "size.watched=8", "size.samples=8"]  # fmt: skip

PUBLISHED = {
    "ldm_class": (0.0195, "L2", "ClassToken", "NoView"),
    "ldm_text": (0.0195, "L2", "Captions", "NoView"),
    "ldm_layout": (0.0205, "L1", "LayoutTokens", "NoView"),
    "ldm_semantic": (0.0205, "L1", "NoConditioner", "Segmentation"),
    "ldm_sr": (0.0155, "L2", "NoConditioner", "LowResolution"),
    "ldm_inpainting": (0.0205, "L1", "NoConditioner", "Masked"),
    "ldm_unconditional": (0.0195, "L2", "NoConditioner", "NoView"),
}
"""The end of the schedule, the loss and the condition in the configurations of CompVis/latent-diffusion."""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module", params=RECIPES)
def finished(root, request) -> Path:
    """Return the directory of a finished run; first stages are shared between recipes."""
    assert run([f"experiment={request.param}", *SMALL, f"run.root={root}"]) == 0
    (directory,) = (root / request.param).glob("*/")
    return directory


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_is_as_published(recipe):
    """But for what it predicts, which is the velocity."""
    config = compose("run", [f"experiment={recipe}"])
    schedule = config["diffusion"]["schedule"]
    assert (schedule["start"], schedule["num_steps"], name_of(schedule)) == (0.0015, 1000, "SqrtLinear")
    parts = name_of(config["task"]["loss"]), name_of(config["conditioning"]), name_of(config["view"])
    assert (schedule["end"], *parts) == PUBLISHED[recipe]
    assert name_of(config["diffusion"]["parameterization"]) == "V"
    assert config["autoencoder"]["factors"] == [4], "one scale"


def name_of(node: dict[str, Any]) -> str:
    return node["_target_"].rpartition(".")[2]


def test_everything_is_left_behind(finished):
    samples = finished / "samples" / "test"
    view = name_of(yaml.safe_load((finished / "config.yaml").read_text())["view"])
    columns = ["generated", "real"] + (["shown"] if view != "NoView" else [])
    for name in columns:
        assert len(list((samples / name).glob("*.png"))) == 8
        with Image.open(samples / name / "000000.png") as image:
            assert image.size == (32, 32)
    folders = {path.name for path in samples.iterdir() if path.is_dir()}
    assert folders == {*columns, "filmstrips", "graphs"}
    assert {"judge/recall", "judge/recall_shuffled"} <= json.loads((finished / "evaluation.json").read_text()).keys()
    assert "judge/recall" in (finished / "report.html").read_text()


def test_what_is_asked_for_reaches_the_network(finished):
    """Annotations of the next scene, or what is shown of it, give another picture from the same noise."""
    config = yaml.safe_load((finished / "config.yaml").read_text())
    told, shown = name_of(config["conditioning"]) != "NoConditioner", name_of(config["view"]) != "NoView"
    with Session.open(finished) as session:
        task = session.trained_task()
        torch.manual_seed(0)
        for parameter in task.parameters():  # a few steps leave what began as zero too small to be seen
            parameter.add_(0.02 * torch.randn_like(parameter))
        (batch,) = session.in_order("test", batch=8, count=8)
        batch = session.with_view(batch, task.view)
        drawn = session.generate(task, batch)
        assert changed(drawn, session.generate(task, annotated_as_the_next(batch))) == told
        if shown:
            assert batch.view is not None
            assert changed(drawn, session.generate(task, batch._replace(view=batch.view.roll(1, dims=0))))
        else:
            assert batch.view is None


def annotated_as_the_next(batch: Batch) -> Batch:
    parts: Any = (part.roll(1, dims=0) for part in batch.annotations)
    return batch._replace(annotations=Annotations(*parts))


def changed(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).abs().max() > 1e-3)


def test_first_stages_are_shared(root, finished):
    stages = {directory.name for directory in (root / "stages" / "autoencoder").glob("[!.]*/")}
    linked = json.loads((finished / "stages.json").read_text())["autoencoder"]
    assert Path(linked).name in stages and len(stages) <= 3  # vqgan and kl; vqgan on scenes with segmentations
