"""Pictures with cards for fabricated runs: periodic samples, reconstructions, filmstrips."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tests.report.conftest import paint, scene, write_json

SIDE, COLUMNS = 32, 4
MOMENTS = (8192, 16384, 24576, 32768)


def text_hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def tile(row: int, *, seed: int, wobble: float, folder: Path) -> Image.Image:
    paint(scene(row), folder / "tile.png", side=SIDE, seed=seed, wobble=wobble)
    with Image.open(folder / "tile.png") as image:
        made = image.convert("RGB")
    (folder / "tile.png").unlink()
    return made


def sheet(rows: Sequence[Sequence[Image.Image]], path: Path) -> None:
    made = Image.new("RGB", (len(rows[0]) * SIDE, len(rows) * SIDE))
    for line, row in enumerate(rows):
        for column, image in enumerate(row):
            made.paste(image, (column * SIDE, line * SIDE))
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(path)


def item(row: int, *, seed: int | None) -> dict:
    told = {"scene": scene(row).id, "scene_json": scene(row).to_json()}
    return told if seed is None else {**told, "condition": text_hash(row), "noise": text_hash(seed, row)}


def samples(run: Path, *, seed: int, moments: Sequence[int] = MOMENTS, first: int = 0, since: int = 0) -> None:
    """Write grids of scenes `first` and on that come nearer to the truth, and their card."""
    folder, rows = run / "pictures" / "samples", range(first, first + COLUMNS)
    for old in folder.glob("*.png"):
        old.unlink()
    for images in moments:
        real = [tile(row, seed=0, wobble=0.0, folder=run) for row in rows]
        near = 0.6 * (1 - images / 40000)
        drawn = [tile(row, seed=hash((seed, run.name)) % 1000, wobble=near, folder=run) for row in rows]
        sheet([real, drawn], folder / f"{images:012d}.png")
    card = {"tile": [SIDE, SIDE], "gap": 0, "columns": COLUMNS, "rows": ["real", "generated"], "since": since}
    write_json(folder / "grid.json", {**card, "items": [item(row, seed=seed) for row in rows]})


def reconstructions(stage: Path, moments: Sequence[int] = (6400, 12800)) -> None:
    """Write grids of two scales, and their card."""
    folder, names = stage / "pictures" / "reconstructions", ["real", "scale 0", "scales 0 to 1", "scale 1 alone"]
    for images in moments:
        rows = [
            [tile(row, seed=place, wobble=0.1 * place, folder=stage) for row in range(COLUMNS)]
            for place in range(len(names))
        ]
        sheet(rows, folder / f"{images:012d}.png")
    card = {"tile": [SIDE, SIDE], "gap": 0, "columns": COLUMNS, "rows": names, "since": 0}
    write_json(folder / "grid.json", {**card, "items": [item(row, seed=None) for row in range(COLUMNS)]})


def films(run: Path, *, seed: int, scenes: int = 2) -> None:
    """Write strips of two scales, the second with fewer steps."""
    folder, steps = run / "samples" / "test" / "filmstrips", [[0, 3, 6, 9], [0, 4]]
    for row in range(scenes):
        lines = []
        for scale, own in enumerate(steps):
            dice = random.Random(f"{run.name}{row}{scale}")
            shown = [tile(row, seed=dice.randrange(999), wobble=0.5 / (1 + k), folder=run) for k in range(len(own))]
            lines.append(shown + [Image.new("RGB", (SIDE, SIDE))] * (len(steps[0]) - len(own)))
        sheet(lines, folder / f"{row:06d}.png")
    card = {
        "tile": [SIDE, SIDE],
        "gap": 0,
        "rows": ["scale 0", "scale 1"],
        "columns": [[{"step": step, "time": 999.0 - 100 * step} for step in own] for own in steps],
        "items": [{"row": row, **item(row, seed=seed)} for row in range(scenes)],
        "how": "What the chains believe.",
    }
    write_json(folder / "card.json", card)


def all_of(run: Path, *, seed: int, **more: int) -> Path:
    """Give a fabricated run everything."""
    samples(run, seed=seed, **more)
    films(run, seed=seed)
    reconstructions((run / "../../shared/autoencoder").resolve())
    return run
