"""What a run leaves of its pictures: which columns of two runs began alike, what the chains believed on the way."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frido.cli.session import Session
from frido.run import main as run

SMALL = ["size=tiny", "debug=smoke", "tracking=files", "metrics=none", "hardware.threads=1", "hardware.precision=fp32",
         "size.resolution=32", "size.scenes=64", "data.source.val=12", "data.source.test=6", "size.images=32",
         "size.autoencoder_images=32", "size.watched=12", "size.samples=6",
         "diffusion/sampler=ddpm", "diffusion.sampler.steps=[9,3]",
         "stages=[data,autoencoder,latents,denoiser,sample]"]  # fmt: skip
SIDE = 32


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Return three runs of one first stage: `other` was trained differently from `one`, `seed` has another seed."""
    root, found = tmp_path_factory.mktemp("runs"), {}
    for name, more in (("one", []), ("other", ["size.learning_rate=1e-2"]), ("seed", ["seed=1"])):
        before = set(root.glob("main/*/"))
        assert run([*SMALL, f"run.root={root}", *more]) == 0
        (found[name],) = set(root.glob("main/*/")) - before
    return found


def card(directory: Path, place: str) -> dict[str, Any]:
    return json.loads((directory / place).read_text())


def column(directory: Path, place: str, key: str) -> list[str]:
    return [item[key] for item in card(directory, place)["items"]]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


GRID, STRIPS = "pictures/samples/grid.json", "samples/test/filmstrips/card.json"


@pytest.mark.parametrize("place", [GRID, STRIPS])
def test_columns_say_what_they_began_with(runs, place):
    """Equal seeds begin with equal noise however they were trained; the conditions are the same for every seed."""
    for key in ("condition", "scene"):
        assert column(runs["one"], place, key) == column(runs["other"], place, key) == column(runs["seed"], place, key)
    noises = [column(runs[name], place, "noise") for name in ("one", "other", "seed")]
    assert noises[0] == noises[1] and not set(noises[0]) & set(noises[2])
    assert len(set(noises[0])) == len(noises[0]), "every column has noise of its own"


def test_samples_say_what_they_began_with(runs):
    rows = {name: card(path, "samples/test/noise.json")["rows"] for name, path in runs.items()}
    assert rows["one"] == rows["other"] and not set(rows["one"]) & set(rows["seed"]) and len(set(rows["one"])) == 6
    assert column(runs["one"], STRIPS, "noise") == rows["one"][:4]
    told = [card(path, "samples/test/protocol.json")["noise"] for path in runs.values()]
    assert told[0] == told[1] != told[2]


def test_grid_is_cut_as_its_card_says(runs):
    told = card(runs["one"], GRID)
    assert (told["tile"], told["gap"], told["columns"], told["rows"]) == ([SIDE, SIDE], 0, 8, ["real", "generated"])
    grids = sorted((runs["one"] / "pictures" / "samples").glob("*.png"))
    assert told["since"] == int(grids[0].stem)
    found = pixels(grids[-1])
    with Session.open(runs["one"]) as session:
        split, _ = session.held_out("val")
        (batch,) = session.in_order(split, batch=8, count=8)
    assert found.shape == (2 * SIDE, 8 * SIDE, 3) and told["items"][5]["scene"] == batch.ids[5]
    real = ((batch.pixels[5] + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert np.array_equal(found[:SIDE, 5 * SIDE : 6 * SIDE], real)


def test_strips_end_in_what_was_drawn(runs):
    told = card(runs["one"], STRIPS)
    assert told["rows"] == ["scale 0", "scale 1"] and [item["row"] for item in told["items"]] == [0, 1, 2, 3]
    steps = [[cell["step"] for cell in row] for row in told["columns"]]
    assert steps == [[0, 1, 2, 3, 5, 6, 7, 8], [0, 1, 2]]
    assert all(row[0]["time"] == 999 and row[-1]["time"] < 100 for row in told["columns"])
    folder = runs["one"] / "samples" / "test"
    for row in range(4):
        strip = pixels(folder / "filmstrips" / f"{row:06d}.png").reshape(2, SIDE, 8, SIDE, 3)
        drawn = pixels(folder / "generated" / f"{row:06d}.png")
        assert np.abs(strip[1, :, 2] - drawn).max() <= 1
        assert not strip[1, :, 3:].any(), "the fine scale has three steps"
        assert np.abs(strip[0, :, 7] - drawn).max() > 1, "the coarse scale alone is another picture"


def test_watching_changes_no_bit_and_sees_the_clean_latents(runs):
    with Session.open(runs["one"]) as session:
        task = session.trained_task()
        (batch,) = session.in_order("test", batch=6, count=6)
        seen: dict[tuple[int, int], tuple[torch.Tensor, ...]] = {}
        watched = session.generate(task, batch, watch=lambda *told: seen.update({told[:2]: told[2]}))
        assert torch.equal(watched, session.generate(task, batch))
        assert list(seen) == [*((0, step) for step in range(9)), *((1, step) for step in range(3))]
        assert torch.equal(seen[1, 0][0], seen[1, 2][0]), "the coarse scale is finished"
        torch.testing.assert_close(seen[1, 2][0], seen[0, 8][0])
        assert torch.equal(session.decoded(seen[1, 2]), watched)


def test_reconstructions_name_their_rows(runs):
    directory = runs["one"] / json.loads((runs["one"] / "stages.json").read_text())["autoencoder"]
    told = card(directory, "pictures/reconstructions/grid.json")
    assert told["rows"] == ["real", "scale 0", "scales 0 to 1", "scale 1 alone"] and told["columns"] == 8
    assert {item["scene"] for item in told["items"]} <= set(column(runs["one"], GRID, "scene"))
