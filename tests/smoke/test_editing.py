"""A finished run draws otherwise: by other samplers, over a picture, into its holes, from its coarse scale."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageDraw

from frido.cli import photo
from frido.cli.session import Session
from frido.cli.wished import touched
from frido.run import main as run
from frido.tasks.pyramid_diffusion import PyramidDiffusion

SMALL = ["debug=smoke", "tracking=files", "hardware.threads=1", "hardware.precision=fp32", "size.resolution=32",
         "size.scenes=64", "data.source.val=8", "data.source.test=8", "size.images=64",
         "size.autoencoder_images=64", "size.watched=8", "size.samples=4", "size.steps=4"]  # fmt: skip
DDIM = ["diffusion/sampler=ddim", "diffusion.sampler.steps=6", "diffusion.guidance.weight=1.5", "seed=3"]
TAG = "test-ddim-steps6-weight1.5-seed3"
HOLE = (12, 8, 20, 24)  # left, top, right, bottom of the white in the mask, at 32 pixels


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """Return a folder with a picture, masks of it, and scenes."""
    folder = tmp_path_factory.mktemp("desk")
    ramp = np.linspace(0, 255, 48, dtype=np.uint8)
    red, green = np.meshgrid(ramp, ramp[:32])
    Image.fromarray(np.stack([red, green, 255 - red], axis=-1)).save(folder / "photo.png")  # 48 x 32
    for name, color in (("hole", 255), ("black", 0)):
        mask = Image.new("L", (48, 32))
        left, top, right, bottom = HOLE
        ImageDraw.Draw(mask).rectangle((left + 8, top, right + 7, bottom - 1), fill=color)  # 8 px are cropped away
        mask.save(folder / f"{name}.png")
    Image.new("L", (32, 32), 255).save(folder / "square.png")
    (folder / "text.png").write_text("no picture")
    (folder / "my.json").write_text('[{"objects": ["red circle"]}, {"objects": ["blue square"]}]')
    return folder


@pytest.fixture(scope="module")
def trained(desk) -> Path:
    """Return a run of the main recipe, of two scales and with a condition."""
    assert run([*SMALL, f"run.root={desk / 'runs'}"]) == 0
    (directory,) = (desk / "runs" / "main").glob("*/")
    return directory


@pytest.fixture(scope="module")
def inpainting(desk) -> Path:
    """Return a run that is shown a picture with holes, and asked for nothing."""
    stages = "stages=[data,autoencoder,latents,denoiser]"
    assert run(["experiment=ldm_inpainting", *SMALL, stages, f"run.root={desk / 'runs'}"]) == 0
    (directory,) = (desk / "runs" / "ldm_inpainting").glob("*/")
    return directory


@pytest.fixture
def asked(monkeypatch) -> list[dict[str, Any]]:
    """Return what a task is asked for, and by what task, call by call."""
    calls: list[dict[str, Any]] = []
    generate = PyramidDiffusion.generate

    def watched(self, annotations, **arguments):
        calls.append({"task": self, **arguments, "drawn": generate(self, annotations, **arguments)})
        return calls[-1]["drawn"]

    monkeypatch.setattr(PyramidDiffusion, "generate", watched)
    return calls


def generated(directory: Path, tag: str, *, column: str = "generated") -> np.ndarray:
    """Return uint8 `(rows, height, width, 3)`."""
    files = sorted((directory / "samples" / tag / column).glob("*.png"))
    return np.stack([np.asarray(Image.open(file)) for file in files])


def encoded(directory: Path, desk: Path) -> tuple[torch.Tensor, ...]:
    """Return the latents of the picture, by the run's first stage."""
    with Session.open(directory) as session, torch.no_grad():
        pixels = torch.from_numpy(photo.picture(desk / "photo.png", 32)[None]) / 127.5 - 1
        return session.frozen.encode(pixels)


def contents(directory: Path) -> dict[str, bytes]:
    files = [directory / name for name in ("config.yaml", "evaluation.json", "metrics.jsonl")]
    return {str(file): file.read_bytes() for file in [*files, *directory.glob("samples/test/**/*.*")]}


def test_another_sampler_leaves_the_run_as_it_was(trained, asked):
    before = contents(trained)
    assert run([f"run={trained}", "stages=[sample,evaluate]", *DDIM]) == 0
    assert contents(trained) == before
    (call,) = asked
    assert call["sampler"].func.__name__ == "Ddim" and call["sampler"].keywords["steps"] == 6
    assert (call["guidance"].weight, call["seed"]) == (1.5, 3)
    protocol = json.loads((trained / "samples" / TAG / "protocol.json").read_text())
    assert (protocol["steps"], protocol["seed"], protocol["guidance"]["weight"]) == (6, 3, 1.5)
    cards = json.loads((trained / "samples" / TAG / "evaluation.json").read_text())
    assert cards["judge/recall_real"]["value"] >= 0
    assert not np.array_equal(generated(trained, TAG), generated(trained, "test"))
    assert np.array_equal(generated(trained, TAG, column="real"), generated(trained, "test", column="real"))


def test_what_is_there_is_not_drawn_again_nor_overwritten(trained, asked, capsys):
    assert run([f"run={trained}", *DDIM]) == 0
    frozen = yaml.safe_load((trained / "config.yaml").read_text())
    assert run([f"run={trained}", "stages=[sample]", f"seed={frozen['seed']}"]) == 0  # as it was frozen: its own
    tags = {path.name for path in (trained / "samples").iterdir() if not path.name.startswith(".")}
    assert run([f"run={trained}", "seed=4", f"tag={TAG}"]) == 2
    assert "tag=ANOTHER_NAME" in capsys.readouterr().err
    assert not asked
    assert tags == {path.name for path in (trained / "samples").iterdir() if not path.name.startswith(".")}


def test_an_option_takes_the_frozen_dials(trained, asked):
    assert run([f"run={trained}", "diffusion/sampler=heun", "tag=heun", "size.samples=2"]) == 0
    assert asked[0]["sampler"].keywords["steps"] == 4
    assert len(generated(trained, "heun")) == 2


def test_a_finer_scale_may_see_noisier_coarse_latents(trained, asked):
    assert run([f"run={trained}", "diffusion.teacher_forcing.sampling_tau=0.5", "tag=noisy"]) == 0
    assert asked[0]["task"].teacher_forcing.sampling_tau == 0.5


def test_a_picture_is_filled_in_where_the_mask_is_white(trained, desk, asked):
    edit = [f"image={desk / 'photo.png'}", f"mask={desk / 'hole.png'}"]
    assert run([f"run={trained}", f"scenes={desk / 'my.json'}", *edit]) == 0
    drawn = generated(trained, "my-photo-hole")
    picture = photo.picture(desk / "photo.png", 32).transpose(1, 2, 0)
    hole = np.zeros((32, 32), bool)
    hole[HOLE[1] : HOLE[3], HOLE[0] : HOLE[2]] = True
    assert np.array_equal(drawn[:, ~hole], np.stack([picture[~hole]] * 2))
    assert (drawn[:, hole] != picture[hole]).mean() > 0.5
    for given, factor in zip(asked[0]["given"], (8, 4), strict=True):
        kept = ~hole.reshape(32 // factor, factor, 32 // factor, factor).any(axis=(1, 3))
        assert np.array_equal(given.keep[0, 0].numpy(), kept) and given.strength == 1
    assert (generated(trained, "my-photo-hole", column="shown")[:, hole] == 0).all()


def test_strength_says_how_much_is_left_of_a_picture(trained, desk, asked):
    for strength in ("0.01", "0.5", "1"):
        edit = [f"image={desk / 'photo.png'}", f"strength={strength}", "diffusion.sampler.steps=20"]
        assert run([f"run={trained}", f"scenes={desk / 'my.json'}", *edit]) == 0
        assert generated(trained, f"my-photo-strength{float(strength)}-steps20").shape == (2, 32, 32, 3)
    latents = encoded(trained, desk)
    distances = [
        sum(float((drawn - latent).square().mean()) for drawn, latent in zip(call["drawn"], latents, strict=True))
        for call in asked
    ]
    assert distances[0] < 0.3 * distances[1] and distances[1] < distances[2]


def test_a_picture_is_finished_from_its_coarse_scale(trained, desk, asked):
    edit = [f"image={desk / 'photo.png'}", "strength=[0,1]"]
    assert run([f"run={trained}", f"scenes={desk / 'my.json'}", *edit]) == 0
    coarse, fine = asked[0]["given"]
    assert coarse.whole and fine is None
    torch.testing.assert_close(coarse.latent[:1], encoded(trained, desk)[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(asked[0]["drawn"][0], coarse.latent, atol=0, rtol=0)


def test_a_model_of_holes_is_shown_the_mask(inpainting, desk, asked):
    edit = [f"image={desk / 'photo.png'}", f"mask={desk / 'hole.png'}", "stages=[sample,report]"]
    assert run([f"run={inpainting}", *edit]) == 0
    assert asked[0]["given"] is None
    left, top, right, bottom = (side // 4 for side in HOLE)  # the hole lies on the grid of the latents
    holes = torch.full((8, 8), -1.0)
    holes[top:bottom, left:right] = 1.0
    assert torch.equal(asked[0]["view"][0, -1], holes)
    (drawn,), (hidden,) = (generated(inpainting, "photo-hole", column=name) for name in ("generated", "shown"))
    kept = hidden.any(axis=-1)
    assert np.array_equal(drawn[kept], photo.picture(desk / "photo.png", 32).transpose(1, 2, 0)[kept])
    assert "photo-hole" in (inpainting / "report.html").read_text()


def test_a_cell_with_one_pixel_of_a_hole_is_drawn_anew():
    hole = torch.zeros(8, 8, dtype=torch.bool)
    hole[3, 4] = True
    assert touched(hole, 4).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["image=nowhere.png", "strength=0.5"], "no such file"),
        (["image=text.png", "strength=0.5"], "a whole PNG, JPEG or WebP image"),
        (["image=photo.png", "mask=square.png"], "48 x 32 pixels"),
        (["image=photo.png", "mask=black.png"], "no white"),
        (["image=photo.png", "strength=1.5"], "strength=0.6"),
        (["image=photo.png", "strength=[0,0]"], "not every scale"),
        (["image=photo.png", "strength=[0,0.5,1]"], "one per scale"),
        (["image=photo.png"], "strength=0.6 to draw over it"),
        (["mask=hole.png"], "image=FILE"),
        (["strength=0.5"], "image=FILE"),
        (["image=photo.png", "strength=0.5", "stages=[sample,evaluate]"], "no true images"),
        (["image=photo.png", "strength=0.5", "tag=test"], "samples of held-out scenes"),
        (["tag=../up"], "a folder's name"),
        (["seed=1", "stages=[denoiser,sample]"], "stages=[sample]"),
        (["seed=-1"], "seed"),
        (["seed=7", "stages=[evaluate]"], "stages=[sample,evaluate]"),
        (["diffusion.teacher_forcing.tau=0.5"], "leave out"),
        (["diffusion/schedule=linear"], "leave out"),
        (["diffusion/sampler=dimm"], "diffusion/sampler=ddim"),
        (["diffusion.sampler.step=3"], "diffusion.sampler.steps=3"),
        (["diffusion.sampler.steps=many"], "diffusion.sampler.steps"),
        (["size.steps=3"], "leave out"),
    ],
)
def test_what_cannot_be_drawn_is_refused(trained, desk, capsys, monkeypatch, arguments, hint):
    monkeypatch.chdir(desk)
    scenes = ["scenes=my.json"] if any(word.startswith(("image", "mask", "strength")) for word in arguments) else []
    before = sorted(trained.rglob("*"))
    assert run([f"run={trained}", *scenes, *arguments]) == 2
    told = capsys.readouterr().err
    assert hint in told and all(part in told for part in ("got:", "wanted:", "do:")), told
    assert [path for path in sorted(trained.rglob("*")) if ".lock" not in path.name] == [
        path for path in before if ".lock" not in path.name
    ]


def test_a_conditional_run_wants_to_know_what_to_draw(trained, desk, capsys):
    assert run([f"run={trained}", f"image={desk / 'photo.png'}", "strength=0.5"]) == 2
    assert "scenes=FILE" in capsys.readouterr().err


def test_own_scenes_lack_the_picture_that_a_view_shows(inpainting, desk, capsys):
    assert run([f"run={inpainting}", f"scenes={desk / 'my.json'}"]) == 2
    assert "image=FILE" in capsys.readouterr().err
