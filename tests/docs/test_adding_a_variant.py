"""The worked examples of docs/adding_a_variant.md work."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from frido.cli.compose import compose
from frido.contracts.scene import Object, Relationship, Scene
from frido.denoisers.gated_norm import GatedNorm
from tests.denoisers import options

PAGE = (Path(__file__).parents[2] / "docs" / "adding_a_variant.md").read_text()


def blocks(language: str) -> dict[str, str]:
    """Return the code blocks that follow a file's name, by that name."""
    return dict(re.findall(rf"^`([^`]+)`:\n\n```{language}\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))


def example(path: str, name: str) -> Any:
    spaces: dict[str, Any] = {}
    exec(compile(blocks("python")[path], path, "exec"), spaces)
    return spaces[name]


def settings(path: str) -> dict[str, Any]:
    return yaml.safe_load(blocks("yaml")[path])


def test_options_name_the_examples():
    gate = settings("conf/denoiser/gate/gain.yaml")
    sampler = settings("conf/diffusion/sampler/lms.yaml")
    aspect = settings("conf/source/coco_compact.yaml")["filters"]["aspect"]
    assert gate["_target_"] == "frido.denoisers.gates.gain.GainGate"
    assert sampler["_target_"] == "frido.diffusion.samplers.lms.Lms"
    assert aspect["_target_"] == "frido.data.filters.aspect.Aspect"
    for option in (gate, sampler, sampler["spacing"], aspect):
        assert option["_target_"].startswith("frido.")


def test_gate_is_a_gain():
    gate = example("src/frido/denoisers/gates/gain.py", "GainGate")(init=1.0)
    site = gate.site(channels=6, coarse_channels=5, embedding_width=4, attends=False)
    coarse, hidden, embedding = torch.randn(2, 5, 8, 8), torch.randn(2, 6, 8, 8), torch.randn(2, 4)
    norm = GatedNorm(channels=6, groups=3, epsilon=1e-5, gate=site, factor=1)
    plain = norm(hidden, (), embedding)
    torch.testing.assert_close(norm(hidden, site.prepare(coarse), embedding), plain * (1 + site.gain(coarse)))


@pytest.mark.parametrize("name", ["eps", "v"])
def test_sampler_is_of_second_order(name):
    """Against the exact flow of Gaussian data: twice the steps, a quarter of the error."""
    solver = example("src/frido/diffusion/samplers/lms.py", "Lms")
    schedule = options.build("diffusion/schedule", "sqrt_linear")
    parameterization = options.build("diffusion/parameterization", name)
    spacing = options.make(settings("conf/diffusion/sampler/lms.yaml")["spacing"])
    mean, spread = 0.7, 0.4

    def denoise(noisy, time):
        alpha, sigma = (f(time).view(-1, 1, 1, 1) for f in (schedule.alpha, schedule.sigma))
        noise = sigma * (noisy - alpha * mean) / (alpha**2 * spread**2 + sigma**2)
        return parameterization.target((noisy - sigma * noise) / alpha, noise, alpha, sigma)

    noisy = torch.randn(8, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ends = [(schedule.alpha(t), schedule.sigma(t)) for t in (torch.tensor(schedule.num_steps - 1.0), torch.tensor(0.0))]
    (m0, s0), (m1, s1) = ((a * mean, (a**2 * spread**2 + b**2).sqrt()) for a, b in ends)
    exact = m1 + s1 * (noisy - m0) / s0
    errors = []
    for steps in (64, 128):
        sampler = solver(schedule=schedule, parameterization=parameterization, spacing=spacing, steps=steps)
        errors.append((sampler(denoise, noisy, noise=lambda step: None) - exact).abs().max().item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


def test_filter_measures_pixels():
    most = settings("conf/source/coco_compact.yaml")["filters"]["aspect"]["most"]
    step = example("src/frido/data/filters/aspect.py", "Aspect")(most=most)
    boxes = [(0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 0.25), (0.0, 0.5, 0.5, 0.7)]  # in pixels 2:1, just 4:1, and 5:1
    scene = Scene(
        "wide", tuple(Object("cat", box) for box in boxes), (Relationship(1, "above", 2), Relationship(1, "on", 0))
    )
    left = step(replace(scene, width=200, height=100), "train")
    assert [item.box for item in left.objects] == boxes[:2]
    assert left.relationships == (Relationship(1, "on", 0),)


def test_recipe_of_a_filter_composes(tmp_path):
    """The lines of the page, with the recipe beside the real options."""
    shutil.copytree(options.CONF, tmp_path / "conf")
    text = blocks("yaml")["conf/source/coco_compact.yaml"]
    (tmp_path / "conf" / "source" / "coco_compact.yaml").write_text(text)
    lines = re.findall(r"^python -m frido\.(pack|run) (.*coco_compact.*?)(?: +#.*)?$", PAGE, re.MULTILINE)
    assert len(lines) == 4
    composed = [compose(door, words.split(), directory=tmp_path / "conf") for door, words in lines]
    steps = [config["source"]["filters"] for config in composed[:3]]
    assert [list(step) for step in steps] == [["images", "aspect"], ["images", "aspect"], ["images"]]
    assert [step["aspect"]["most"] for step in steps[:2]] == [4.0, 8.0]
    assert composed[3]["data"]["reading"]["crop"]["_target_"] == "frido.data.framing.random_2d.Random2d"
