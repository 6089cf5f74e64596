"""Measure the shipped networks on scenes that no training saw (split test)."""

import time
from typing import Any

import torch
from pool import CLASSES, render, soften
from torch import Tensor

from frido.data.sources.scenes import RENDERER, Scenes
from frido.data.sources.words import SHAPES
from frido.metrics.features.scenes import SceneFeatures
from frido.metrics.finder import Finder
from frido.metrics.judge import Judge

DEMO = {"min_objects": 1, "max_objects": 3, "min_size": 0.36, "max_size": 0.5, "min_visible": 0.5}
THRESHOLD = 0.5
SIZES = [(0.12, 0.16), (0.16, 0.2), (0.2, 0.28), (0.36, 0.45), (0.45, 0.6)]


def judged(setting: dict[str, Any], count: int, seed: int, change: Any = None) -> dict[str, float]:
    """Return recall, precision and relations of the judge on real images of a setting, in percent."""
    images = render(setting, "test", count, seed).images
    world = Scenes(resolution=64, seed=seed, **setting)
    scenes = [world.scene("test", i) for i in range(count)]
    judge = Judge(threshold=THRESHOLD)
    changed = images if change is None else change(images)
    judge.update(real=images, generated=changed, scenes=scenes)
    numbers = judge.compute()
    kept = {
        name: numbers[f"judge/{name}"] for name in ("recall", "precision", "relations") if f"judge/{name}" in numbers
    }
    kept["recall_shuffled"] = numbers["judge/recall_shuffled"]
    return {name: round(100 * value, 2) for name, value in kept.items()}


def softened(images: Tensor) -> Tensor:
    random = torch.Generator().manual_seed(1)
    parts = [soften(part, random) for part in images.split(64)]
    return ((torch.cat(parts) + 1) * 127.5).round().byte()


def classified(setting: dict[str, Any], count: int, seed: int) -> dict[str, Any]:
    """Return how often the feature network names the largest object; also where it leads by a fifth in area."""
    pool = render(setting, "test", count, seed)
    extractor = SceneFeatures()
    right = extractor.extract(pool.images).logits.argmax(1) == pool.largest
    area = (pool.boxes[..., 2] - pool.boxes[..., 0]) * (pool.boxes[..., 3] - pool.boxes[..., 1])
    first, second = area.topk(2, dim=1).values.unbind(1)
    clear = first > 1.2 * second
    return {
        "accuracy": round(100 * right.float().mean().item(), 2),
        "accuracy_where_one_is_clearly_largest": round(100 * right[clear].float().mean().item(), 2),
    }


def throughput() -> dict[str, Any]:
    torch.set_num_threads(1)  # on a busy machine two threads mostly wait for each other
    images = torch.randint(0, 256, (512, 3, 64, 64), dtype=torch.uint8)
    speeds: dict[str, Any] = {"threads": 1}
    for name, work in (("judge", Finder(threshold=THRESHOLD).find), ("features", SceneFeatures().extract)):
        seconds = []
        for part in images.split(64):  # the best pass: other work on the machine only ever adds time
            start = time.perf_counter()
            work(part)
            seconds.append(time.perf_counter() - start)
        speeds[f"{name}_images_per_second"] = round(64 / min(seconds))
    return speeds


def figures(seed: int) -> dict[str, Any]:
    """Return everything that the README quotes; `seed` is the training's, the split keeps scenes apart."""
    by_count = {
        str(n): judged({**DEMO, "min_objects": n, "max_objects": n, "min_size": 0.14, "max_size": 0.4}, 400, seed)
        for n in range(1, len(SHAPES) + 3)
    }
    by_size = {
        f"{low} to {high}": judged({**DEMO, "min_size": low, "max_size": high}, 400, seed) for low, high in SIZES
    }
    return {
        "renderer": RENDERER,
        "settings": {"demo": DEMO, "threshold": THRESHOLD, "resolution": 64, "split": "test"},
        "judge": {
            "weights_sha256": Finder(threshold=THRESHOLD).sha256,
            "demo": judged(DEMO, 2000, seed),
            "demo_softened": judged(DEMO, 1000, seed, softened),
            "by_count": by_count,
            "by_size": by_size,
        },
        "features": {
            "weights_sha256": SceneFeatures().sha256,
            "classes": len(CLASSES),
            "dimension": SceneFeatures().dimension,
            "demo": classified(DEMO, 2000, seed),
        },
        "throughput": throughput(),
    }
