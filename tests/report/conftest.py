"""A fabricated run directory: every file of the format, small but complete."""

import json
import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image, ImageDraw

from frido.contracts.scene import Object, Relationship, Scene

SHAPES, COLORS, TEXTURES = ("circle", "square", "triangle"), ("red", "blue", "gold", "green"), ("solid", "striped")


def scene(row: int, objects: int = 3) -> Scene:
    """Return a made-up scene whose boxes lie apart on a diagonal, with relationships both ways."""
    dice = random.Random(row)
    things = []
    for index in range(objects):
        left, top = index / objects, dice.uniform(0.0, 0.6)
        box = (left, top, left + 0.8 / max(objects, 2), top + 0.38)
        attributes = (dice.choice(("small", "large")), dice.choice(COLORS), dice.choice(TEXTURES))
        things.append(Object(dice.choice(SHAPES), box, attributes))
    pairs = [(i, j) for i in range(objects) for j in range(objects) if i != j]
    relationships = tuple(Relationship(i, "left of" if i < j else "right of", j) for i, j in pairs)
    return Scene(f"val-{row:06d}", tuple(things), relationships, ("things on a plain ground",), width=64, height=64)


def paint(scene: Scene, path: Path, *, side: int = 64, seed: int = 0, wobble: float = 0.0) -> None:
    dice = random.Random(f"{scene.id}{seed}")
    image = Image.new("RGB", (side, side), (225, 222, 214))
    pen = ImageDraw.Draw(image)
    for thing in scene.objects:
        left, top, right, bottom = (side * (edge + wobble * dice.uniform(-1, 1)) for edge in thing.box)
        color = next(word for word in thing.attributes if word in COLORS)
        box = (min(left, right - 2), min(top, bottom - 2), right, bottom)
        if thing.category == "circle":
            pen.ellipse(box, fill=color)
        elif thing.category == "square":
            pen.rectangle(box, fill=color)
        else:
            pen.polygon([(box[0], box[3]), ((box[0] + box[2]) / 2, box[1]), (box[2], box[3])], fill=color)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_lines(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def first_stage(directory: Path) -> Path:
    """Write a shared first stage with curves and one periodic grid."""
    rows = [
        {
            "images": 320 * (i + 1),
            "autoencoder/loss": 0.7 * math.exp(-i / 9) + 0.05,
            "autoencoder/psnr": 25 - 13 * math.exp(-i / 12),
            "autoencoder/codebook_usage/0": 1 - math.exp(-i / 6),
            "autoencoder/codebook_usage/1": 1 - math.exp(-i / 8),
        }
        for i in range(40)
    ]
    write_lines(directory / "metrics.jsonl", rows)
    held_out = {"images": 1024, "split": "val", "note": None}
    cards = {
        "held_out/psnr": {"value": 24.93, **held_out},
        "held_out/perplexity_1": {"value": 301.5, **held_out},
        "held_out/psnr_alone_0": {"value": 18.02, **held_out},
        "held_out/rfid/scenes@1024": {"value": 9.87, "extractor": "scenes", **held_out},
        "parameters": {"value": 870_016},
    }
    write_json(directory / "evaluation.json", cards)
    write_lines(directory / "timing.jsonl", [{"images": 6400, "autoencoder/images_per_second": 200.0}])
    for images in (6400, 12800):
        paint(scene(images), directory / "pictures" / "reconstructions" / f"{images:012d}.png", side=128)
    return directory


def fabricate(
    root: Path,
    *,
    name: str = "0a1b2c3d4e5f",
    recall: float = 0.81,
    scenes: int = 4,
    width: int = 48,
    seed: int = 0,
    fid: float = 41.37,
) -> Path:
    """Write a finished run under `root/runs/vg_sg2im/<name>` and return it."""
    run = root / "runs" / "vg_sg2im" / name
    run.mkdir(parents=True)
    config = {
        "seed": seed,
        "size": {"images": 32768, "width": width},
        "denoiser": {"_target_": "frido.denoisers.pyunet.PyUNet"},
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    write_json(
        run / "provenance.json",
        {
            "command": "python -m frido.run experiment=vg_sg2im size=tiny",
            "git": {"commit": "4f2a9c1", "dirty": True, "diff": "--- a/file\n+++ b/file"},
            "versions": {"torch": "2.15.0", "python": "3.11.7"},
            "threads": 2,
            "ranks": 1,
            "data": {"hash": "cafe1234"},
            "parameters": {"denoiser": 1_704_512 * width**2 // 48**2, "autoencoder": 870_016},
        },
    )
    dice = random.Random(name)
    rows: list[dict] = []
    for i in range(512):
        loss = 0.9 * math.exp(-i / 60) + 0.12 + 0.03 * dice.random()
        row = {
            "images": 64 * (i + 1),
            "denoiser/loss": loss,
            "denoiser/loss/0": 0.7 * loss,
            "denoiser/loss/1": 1.3 * loss,
        }
        if (i + 1) % 128 == 0:
            row |= {"fid/scenes@128": 300 / (i + 1) * 20, "judge/recall": recall * (i + 1) / 512}
        rows.append(row)
    final = {"judge/recall": recall, "judge/recall_real": 0.985, "judge/recall_shuffled": 0.2125}
    rows.append({"images": 32768, "fid/scenes@512": fid, "is/scenes@512": 5.218, "is_std/scenes@512": 0.31, **final})
    write_lines(run / "metrics.jsonl", rows)
    timing = [
        {
            "images": 6400 * (i + 1),
            "denoiser/images_per_second": (240.0 + i) * 48 / width,
            "denoiser/flops_per_second": (240.0 + i) * 48 / width * 1e6 * width**2,
            "denoiser/peak_memory_bytes": 1e6 * width,
        }
        for i in range(5)
    ]
    write_lines(run / "timing.jsonl", timing)
    protocol = {"sampler": "dpm_solver_pp", "steps": 20, "guidance": 2.0, "ema": True, "count": 512}
    write_json(
        run / "evaluation.json",
        {
            "judge/recall": {"n": 512, "objects": 1024, "protocol": protocol},
            "fid/scenes@512": {"features": "scenes", "weights_hash": "feed5678", "n": 512, "protocol": protocol},
            "is/scenes@512": {"features": "scenes", "weights_hash": "feed5678", "n": 512, "splits": 10},
        },
    )
    of_parts = {f"shape {shape}": {"value": recall - 0.1 * k, "count": 300 + k} for k, shape in enumerate(SHAPES)}
    write_json(run / "breakdown.json", {"parts": {"judge/recall": of_parts}, "rows": {"0": {"judge/recall": 0.5}}})
    shared = root / "runs" / "shared" / "autoencoder"
    if not shared.exists():
        first_stage(shared)
    write_json(run / "stages.json", {"autoencoder": "../../shared/autoencoder"})
    (run / "checkpoints" / f"{32768:012d}").mkdir(parents=True)
    samples = run / "samples" / "test"
    drawn = [scene(row, 1 + row % 3) for row in range(scenes)]
    for row, made in enumerate(drawn):
        paint(made, samples / "real" / f"{row:06d}.png")
        paint(made, samples / "generated" / f"{row:06d}.png", seed=row + 1, wobble=0.04)
    write_json(samples / "scenes.json", [made.to_json() for made in drawn])
    write_json(samples / "protocol.json", {**protocol, "seed": 0, "images_seen": 32768})
    found = [
        [
            {"object": i, "found": i != 1, "why": "" if i != 1 else "no such colour there"}
            for i in range(len(made.objects))
        ]
        for made in drawn
    ]
    write_json(samples / "found.json", found)
    for images in (16384, 32768):
        paint(scene(1), run / "pictures" / "samples" / f"{images:012d}.png", side=128)
    return run


ARMS = {"narrow": (32, 0.55, 52.0), "middle": (48, 0.62, 45.0), "wide": (64, 0.66, 44.5)}
"""Width, recall and FID of a made-up study's arms."""


def fabricate_study(root: Path, *, seeds: int, finished: int | None = None, scenes: int = 4) -> Path:
    """Write a study of three arms under `root/runs/studies/widths`, with its runs, and return its folder.

    With `finished`, only the first so many jobs are; of the others the first has failed, the rest wait.
    """
    folder = root / "runs" / "studies" / "widths"
    jobs = []
    for arm, (width, recall, fid) in ARMS.items():
        for seed in range(seeds):
            dice = random.Random(f"{arm}{seed}")
            name = f"{arm}{seed}"
            status = "finished" if finished is None or len(jobs) < finished else "waiting"
            if status == "finished":
                run = fabricate(
                    root,
                    name=name,
                    recall=recall + 0.02 * dice.gauss(0, 1),
                    scenes=scenes,
                    width=width,
                    seed=seed,
                    fid=fid + dice.gauss(0, 1) + random.Random(seed).gauss(0, 2),
                )
                cards = json.loads((run / "evaluation.json").read_text())
                logged = {key: value for line in read_lines(run / "metrics.jsonl") for key, value in line.items()}
                write_json(
                    run / "evaluation.json", {key: {**card, "value": logged[key]} for key, card in cards.items()}
                )
            elif len(jobs) == finished:
                status = "failed"
            jobs.append(
                {
                    "overrides": [f"arm={arm}", f"seed={seed}"],
                    "arm": arm,
                    "seed": seed,
                    "directory": f"../../vg_sg2im/{name}",
                    "status": status,
                    "attempts": int(status != "waiting"),
                    "error": "out of memory\non this machine" if status == "failed" else None,
                }
            )
    comparison = {
        "question": "Does a wider denoiser draw better?",
        "reference": "middle",
        "confidence": 0.95,
        "correction": "holm",
        "metrics": {
            "fid/scenes@512": {"margin": 2.0, "better": "lower"},
            "judge/recall": {"margin": 0.03, "better": "higher"},
        },
    }
    write_json(folder / "study.json", {"name": "widths", "comparison": comparison, "jobs": jobs})
    return folder


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Path]:
    """Fabricate a study; keyword arguments are those of `fabricate_study`."""
    return partial(fabricate_study, tmp_path)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Fabricate runs side by side; keyword arguments are those of `fabricate`."""
    return partial(fabricate, tmp_path)


@pytest.fixture
def run_directory(make_run: Callable[..., Path]) -> Path:
    return make_run()


CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser without network, one for all tests of a module."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no {CHROMIUM}: install the package chromium")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page of ours in a browser; `errors` is all that its console had to complain of."""

    def __init__(self, chromium: Any) -> None:
        self.chromium, self.errors, self.contexts = chromium, [], []

    def open(self, page: Path | str, fragment: str = "", *, width: int = 1400, **options: Any) -> Any:
        """Return a tab that shows the file (or the address) `page`; `options` are those of a browser's context."""
        context = self.chromium.new_context(viewport={"width": width, "height": 900}, **options)
        self.contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda told: self.errors.append(told.text) if told.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on(
            "request",
            lambda sent: (
                None if sent.url.startswith(("file:", "data:", "http://127.0.0.1")) else self.errors.append(sent.url)
            ),
        )
        tab.goto((page if isinstance(page, str) else page.resolve().as_uri()) + fragment)
        return tab


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visit]:
    """Open pages; in the end nothing may have been complained of, and nothing loaded."""
    made = Visit(chromium)
    yield made
    for context in made.contexts:
        context.close()
    assert made.errors == []
