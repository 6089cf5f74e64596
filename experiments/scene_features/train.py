"""Train the two networks that measure runs on procedural scenes: the judge's eye and the scene features.

    python experiments/scene_features/train.py                 # both, then the figures in results.json
    python experiments/scene_features/train.py --only figures  # measure the shipped weights again

Weights go into the package, figures into results.json beside this file. See README.md.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from figures import figures
from pool import CLASSES, MOST, Pool, join, render, soften, with_jpeg, without_objects
from torch import Tensor, nn
from torch.nn import functional as F

from frido.contracts.atomic import write_text
from frido.data.sources.scenes import RENDERER
from frido.data.sources.words import COLOURS, SHAPES
from frido.metrics.detector import Detector, Maps, boxes_of, cell_centres
from frido.metrics.features.scenes import WEIGHTS as FEATURE_WEIGHTS
from frido.metrics.features.scenes import scene_network
from frido.metrics.finder import WEIGHTS as JUDGE_WEIGHTS
from frido.metrics.weights import write_weights

SETTINGS = [
    {"min_objects": 1, "max_objects": 3, "min_size": 0.2, "max_size": 0.6, "min_visible": 0.4},
    {"min_objects": 1, "max_objects": 3, "min_size": 0.36, "max_size": 0.7, "min_visible": 0.4},
    {"min_objects": 1, "max_objects": 5, "min_size": 0.12, "max_size": 0.5, "min_visible": 0.4},
    {"min_objects": 4, "max_objects": 8, "min_size": 0.12, "max_size": 0.4, "min_visible": 0.4},
]
SEED = 77
WIDTHS = [48, 96, 128]
ARCHITECTURE = "test_resnet"
SPREAD = 0.8  # cells: how far around a centre the centre map is told to be unsure


def targets(pool: Pool, rows: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """Return the centre map (batch, grid, grid) and which object each cell belongs to (-1: none)."""
    boxes, present = pool.boxes[rows], pool.shapes[rows] >= 0
    x, y = cell_centres(grid, grid)
    centre_x, centre_y = ((boxes[..., i] + boxes[..., i + 2]) / 2 for i in (0, 1))
    squared = (x - centre_x[..., None, None]) ** 2 + (y - centre_y[..., None, None]) ** 2
    closeness = torch.exp(-squared * grid**2 / (2 * SPREAD**2)) * present[..., None, None]
    cells = (centre_y * grid).long().clamp(max=grid - 1) * grid + (centre_x * grid).long().clamp(max=grid - 1)
    exact = F.one_hot(cells, grid * grid).view(*cells.shape, grid, grid) * present[..., None, None]
    closeness = torch.where(exact > 0, torch.ones(()), closeness.clamp(max=0.95))
    # Of two objects with their centres in one cell the later, in front, owns it: flip so that argmax takes it.
    value, owner = closeness.flip(1).max(1)
    return value, torch.where(value > 0.35, MOST - 1 - owner, -1)


def judge_loss(maps: Maps, pool: Pool, rows: Tensor) -> dict[str, Tensor]:
    """CenterNet's penalty-reduced focal loss for centres; cross-entropy and L1 around them."""
    centre, owner = targets(pool, rows, maps.centre.shape[-1])
    p = maps.centre.sigmoid().clamp(1e-5, 1 - 1e-5)
    hit = centre == 1
    focal = torch.where(hit, (1 - p) ** 2 * p.log(), (1 - centre) ** 4 * p**2 * (1 - p).log())
    own = owner >= 0
    weight = centre[own] / centre[own].sum()
    index = owner.clamp(min=0)
    shape, colour = (
        words[rows].gather(1, index.flatten(1)).view_as(index)[own] for words in (pool.shapes, pool.colours)
    )
    boxes = pool.boxes[rows].gather(1, index.flatten(1)[..., None].expand(-1, -1, 4)).view(*index.shape, 4)[own]
    found = boxes_of(maps.box).permute(0, 2, 3, 1)[own]
    return {
        "centre": -focal.sum() / hit.sum(),
        "shape": (F.cross_entropy(maps.shape.permute(0, 2, 3, 1)[own], shape, reduction="none") * weight).sum(),
        "colour": (F.cross_entropy(maps.colour.permute(0, 2, 3, 1)[own], colour, reduction="none") * weight).sum(),
        "box": 10 * ((found - boxes).abs().mean(1) * weight).sum(),
    }


def fit(
    name: str,
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], dict[str, Tensor]],
    pool: Pool,
    images: int,
    rate: float,
) -> nn.Module:
    """Train on `images` softened views of the pool, bf16 autocast, one cycle; return the averaged weights."""
    batch = 64
    random = torch.Generator().manual_seed(SEED)
    network.train().to(memory_format=torch.channels_last)
    decay = [p for p in network.parameters() if p.dim() > 1]
    rest = [p for p in network.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}], lr=rate
    )
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    steps, start = images // batch, time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min((step + 1) / 200, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        rows = torch.randint(len(pool.images), (batch,), generator=random)
        with torch.autocast("cpu", torch.bfloat16):
            output = network(soften(pool.images[rows], random).to(memory_format=torch.channels_last))
        parts = loss(output, rows)
        optimizer.zero_grad()
        sum(parts.values()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(network)
        if step % 200 == 0 or step == steps - 1:
            seconds = time.perf_counter() - start
            shown = " ".join(f"{key} {value.item():.4f}" for key, value in parts.items())
            print(f"{name} {(step + 1) * batch:>7}/{images} {(step + 1) * batch / seconds:5.0f}/s {shown}", flush=True)
    return average.module.eval()


def train_judge(pool: Pool, images: int) -> None:
    torch.manual_seed(SEED)
    network = Detector(widths=WIDTHS, shapes=len(SHAPES), colours=len(COLOURS))

    def loss(output: Maps, rows: Tensor) -> dict[str, Tensor]:
        return judge_loss(Maps(*(part.float() for part in output)), pool, rows)

    network = fit("judge", network, loss, pool, images, rate=3e-3)
    about = {"shapes": SHAPES, "colours": COLOURS, "resolution": 64, "widths": WIDTHS, "renderer": RENDERER}
    write_weights(JUDGE_WEIGHTS, network.state_dict(), about)


def train_features(pool: Pool, images: int) -> None:
    torch.manual_seed(SEED)
    network = scene_network(architecture=ARCHITECTURE, classes=len(CLASSES))
    labels = pool.largest

    def loss(output: Tensor, rows: Tensor) -> dict[str, Tensor]:
        return {"class": F.cross_entropy(output.float(), labels[rows], label_smoothing=0.05)}

    network = fit("features", network, loss, pool, images, rate=3e-3)
    about = {"architecture": ARCHITECTURE, "classes": CLASSES, "resolution": 64, "renderer": RENDERER}
    write_weights(FEATURE_WEIGHTS, network.state_dict(), about)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["judge", "features", "figures"])
    parser.add_argument("--scenes", type=int, default=10_000, help="rendered per setting")
    parser.add_argument("--judge-images", type=int, default=256_000)
    parser.add_argument("--feature-images", type=int, default=160_000)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    if arguments.only != "figures":
        random = torch.Generator().manual_seed(SEED)
        scenes = join([render(setting, "train", arguments.scenes, SEED + i) for i, setting in enumerate(SETTINGS)])
        print(f"rendered {len(scenes.images)} scenes", flush=True)
        if arguments.only != "features":
            empty = without_objects(arguments.scenes // 4, random)
            train_judge(with_jpeg(join([scenes, empty]), 0.15, random), arguments.judge_images)
        if arguments.only != "judge":
            train_features(with_jpeg(scenes, 0.15, random), arguments.feature_images)
    results = figures(SEED)
    write_text(Path(__file__).with_name("results.json"), json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
