"""All numbers that need no downloads, in one pass over images, beside torch-fidelity's Inception alone.

    python benchmarks/metrics.py --images 2000 --pixels 128

Both arms read the same PNG files with the same random Inception weights, in one process and in turn. theirs: features
of both folders, by torch-fidelity's own path, nothing computed from them. ours: features, Inception Score, kernel
distance, precision and recall over Inception's features and over those of scenes, the Fréchet distances among them
(over 2048 dimensions from 2049 images on), PSNR, SSIM, and the judge of scenes, from decoding to numbers.
SceneFID passes every object through Inception too, about two an image, which theirs does not: it stands in a line of
its own, with and without what the peer would need for as many images more.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.utils import create_feature_extractor, extract_featuresdict_from_input_id

from frido.cli import pictures
from frido.cli.build import build
from frido.cli.compose import compose
from frido.contracts.metric import Pictures
from frido.contracts.scene import Scene
from frido.data.sources.scenes import Scenes
from frido.metrics.evaluation import Evaluation
from frido.metrics.fid import frechet_distance

BATCH = 64


def write_weights(path: Path) -> None:
    """Write seeded random weights for Inception, scaled so that activations neither vanish nor explode."""
    torch.save({}, path)
    with patch.object(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None):
        network = FeatureExtractorInceptionV3("random", ["2048"], feature_extractor_weights_path=str(path))
    random = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            scale = (2 / module.weight[0].numel()) ** 0.5
            module.weight.copy_(scale * torch.randn(module.weight.shape, generator=random))
    torch.save(network.state_dict(), path)


def write_images(folder: Path, *, count: int, pixels: int) -> list[Scene]:
    """Write scenes as `real`, other scenes as `generated`; return the scenes of the real ones."""
    settings = {"min_objects": 1, "max_objects": 3, "min_size": 0.36, "max_size": 0.5, "min_visible": 0.5}
    source = Scenes(resolution=pixels, seed=0, **settings)
    scenes = [source.scene("test", row) for row in range(2 * count)]
    for row, scene in enumerate(scenes):
        path = folder / ("real" if row < count else "generated") / f"{row % count:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scene.image)
    return [Scene.from_json(scene.to_json()) for scene in scenes[:count]]


def theirs(folder: Path, weights: Path) -> None:
    settings = {"cuda": False, "verbose": False, "batch_size": BATCH, "cache": False}
    sides = {"input1": str(folder / "generated"), "input2": str(folder / "real")}
    names = {"feature_extractor_weights_path": str(weights)}
    extractor = create_feature_extractor("inception-v3-compat", ["2048", "logits_unbiased"], **settings, **names)
    for side in (1, 2):
        extract_featuresdict_from_input_id(side, extractor, **settings, **sides)


def ours(folder: Path, scenes: Sequence[Scene], evaluation: Evaluation) -> dict[str, float]:
    return evaluation.run(_batches(folder, scenes), paired=True, described=True, reference=None).numbers


def evaluation_of(*options: str, weights: Path) -> Evaluation:
    """Return all metrics of some options of conf/metrics as one evaluation."""
    metrics: dict[str, Any] = {}
    for option in options:
        found = compose("run", [f"metrics={option}"])["metrics"]["metrics"]
        for name, metric in found.items():
            if metric.get("extractor", {}).get("_target_", "").endswith("Inception"):
                metric["extractor"] |= {"weights": str(weights), "sha256": ""}
            metrics[f"{option}_{name}"] = metric
    return build({"_target_": "frido.metrics.evaluation.Evaluation", "metrics": metrics})


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="on each side")
    parser.add_argument("--pixels", type=int, default=128, help="side of an image")
    parser.add_argument("--pairs", type=int, default=3, help="times that each arm runs")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_weights(weights := folder / "weights.pth")
        scenes = write_images(folder, count=chosen.images, pixels=chosen.pixels)
        objects = sum(len(scene.objects) for scene in scenes)
        compared = evaluation_of("inception", "scenes", "similarity", weights=weights)
        rows: dict[str, list[float]] = {"theirs": [], "ours": []}
        for pair in range(chosen.pairs):
            arms = {"theirs": lambda: theirs(folder, weights), "ours": lambda: ours(folder, scenes, compared)}
            for name in sorted(arms, reverse=bool(pair % 2)):  # who goes first alternates
                rows[name].append(seconds(arms[name]))
                print(f"{name}: {rows[name][-1]:.1f} s", flush=True)
        own_objects = evaluation_of("scenefid", weights=weights)
        with_objects = seconds(lambda: ours(folder, scenes, own_objects))
        numbers = ours(folder, scenes, evaluation_of("scenes", "similarity", weights=weights))
    a, b = (statistics.median(rows[name]) for name in ("theirs", "ours"))
    ratios = [own / their for own, their in zip(rows["ours"], rows["theirs"], strict=True)]
    passes = 2 * chosen.images
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads")
    print(f"{chosen.images} images of {chosen.pixels} px a side, {objects} objects of which SceneFID cuts out both\n")
    print("| arm | s | over theirs |\n|---|---|---|")
    print(f"| torch-fidelity's Inception alone, {passes} passes | {a:.1f} | 1 |")
    print(
        f"| all numbers of ours | {b:.1f} | {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) |"
    )
    print(f"| and SceneFID, {2 * objects} passes more | {b + with_objects:.1f} | {(b + with_objects) / a:.3f} |")
    alike = a * (1 + 2 * objects / passes)
    print(f"| the same over theirs with as many passes | | {(b + with_objects) / alike:.3f} |")
    print(f"\nA Fréchet distance over 2048 dimensions, of more than 2048 images: {_frechet_seconds():.1f} s once.")
    print(json.dumps({name: round(value, 4) for name, value in numbers.items()}))


def _frechet_seconds() -> float:
    random = np.random.default_rng(0)
    first, second = (np.cov(random.normal(size=(2500, 2048)), rowvar=False) for _ in range(2))
    return seconds(lambda: frechet_distance(np.zeros(2048), first, np.zeros(2048), second))


def _batches(folder: Path, scenes: Sequence[Scene]) -> Iterator[tuple[Pictures, Pictures, Sequence[Scene]]]:
    for start in range(0, len(scenes), BATCH):
        rows = range(start, min(start + BATCH, len(scenes)))
        positions = torch.tensor(rows)
        real, generated = (
            Pictures(positions, torch.stack([pictures.load(folder / side / f"{row:06d}.png") for row in rows]))
            for side in ("real", "generated")
        )
        yield real, generated, [scenes[row] for row in rows]


if __name__ == "__main__":
    main()
