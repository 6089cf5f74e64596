"""Rendered scenes as tensors, and what training does to them so that soft, generated pictures look familiar."""

import io
import math
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from frido.data.sources.scenes import Scenes
from frido.data.sources.words import COLOURS, SHAPES

MOST = 8


class Pool(NamedTuple):
    """Scenes of one or several settings; absent objects are -1."""

    images: Tensor  # (scenes, 3, 64, 64) uint8
    shapes: Tensor  # (scenes, MOST)
    colours: Tensor  # (scenes, MOST)
    boxes: Tensor  # (scenes, MOST, 4), fractions of the image

    @property
    def largest(self) -> Tensor:
        """Return shape x colour of the object with the largest box, (scenes,)."""
        area = (self.boxes[..., 2] - self.boxes[..., 0]) * (self.boxes[..., 3] - self.boxes[..., 1])
        which = area.masked_fill(self.shapes < 0, -1).argmax(1, keepdim=True)
        return (self.shapes.gather(1, which) * len(COLOURS) + self.colours.gather(1, which))[:, 0]


def render(setting: dict, split: str, count: int, seed: int) -> Pool:
    """Return the first `count` scenes of a split at 64 px."""
    world = Scenes(resolution=64, seed=seed, **setting)
    images = torch.empty(count, 3, 64, 64, dtype=torch.uint8)
    shapes, colours = torch.full((2, count, MOST), -1)
    boxes = torch.zeros(count, MOST, 4)
    for i in range(count):
        scene = world.scene(split, i)
        images[i] = torch.from_numpy(np.array(Image.open(io.BytesIO(scene.image)))).permute(2, 0, 1)
        for j, item in enumerate(scene.objects):
            shapes[i, j], colours[i, j] = SHAPES.index(item.category), COLOURS.index(item.attributes[0])
            boxes[i, j] = torch.tensor(item.box)
    return Pool(images, shapes, colours, boxes)


def join(pools: list[Pool]) -> Pool:
    return Pool(*(torch.cat(parts) for parts in zip(*pools, strict=True)))


def without_objects(count: int, random: torch.Generator) -> Pool:
    """Return pictures of nothing: plain, clouded, noisy, of any brightness, so that the judge finds nothing there."""
    plain = torch.rand(count, 3, 1, 1, generator=random)
    coarse = torch.rand(count, 3, 5, 5, generator=random) - 0.5
    clouds = F.interpolate(coarse, (64, 64), mode="bicubic", align_corners=False)
    strength = 0.5 * torch.rand(count, 1, 1, 1, generator=random) ** 2
    noise = torch.randn(count, 3, 64, 64, generator=random) * 0.15 * torch.rand(count, 1, 1, 1, generator=random) ** 2
    images = ((plain + strength * clouds + noise).clamp(0, 1) * 255).round().byte()
    nothing = torch.full((count, MOST), -1)
    return Pool(images, nothing, nothing.clone(), torch.zeros(count, MOST, 4))


def with_jpeg(pool: Pool, share: float, random: torch.Generator) -> Pool:
    """Compress a share of the images, at qualities from 30 to 90."""
    images = pool.images.clone()
    for i in torch.nonzero(torch.rand(len(images), generator=random) < share)[:, 0].tolist():
        file = io.BytesIO()
        quality = int(torch.randint(30, 91, (), generator=random))
        Image.fromarray(images[i].permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        images[i] = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)
    return pool._replace(images=images)


def soften(images: Tensor, random: torch.Generator) -> Tensor:
    """Return uint8 images as floats in [-1, 1], some of them as a small generative model would leave them.

    Blur up to 1.6 px, outlines that waver by up to 2 px, lost resolution, contrast, tint and noise. A third of
    the rows of a batch stays as it is.
    """
    x = images.float() / 127.5 - 1
    batch = len(x)

    def chosen(share: float) -> Tensor:
        return (torch.rand(batch, 1, 1, 1, generator=random) < share).float()

    waver = F.interpolate(torch.randn(batch, 2, 9, 9, generator=random), (64, 64), mode="bicubic", align_corners=False)
    waver = waver.clamp(-2, 2) * torch.rand(batch, 1, 1, 1, generator=random) * chosen(0.5) / 32
    straight = F.affine_grid(torch.eye(2, 3).expand(batch, 2, 3), [batch, 3, 64, 64], align_corners=False)
    soft = F.grid_sample(x, straight + waver.permute(0, 2, 3, 1), padding_mode="reflection", align_corners=False)

    half = F.interpolate(F.avg_pool2d(soft, 2), scale_factor=2, mode="bilinear", align_corners=False)
    soft = soft + chosen(0.25) * (half - soft)
    sigma = float(0.3 + 1.3 * torch.rand((), generator=random))
    soft = soft + chosen(0.4) * (_blur(soft, sigma) - soft)

    contrast = 1 + 0.3 * (torch.rand(batch, 1, 1, 1, generator=random) - 0.5)
    tint = 0.12 * (torch.rand(batch, 3, 1, 1, generator=random) - 0.5)
    noise = 0.12 * torch.rand(batch, 1, 1, 1, generator=random) * torch.randn(x.shape, generator=random)
    soft = soft * contrast + tint + chosen(0.4) * noise
    keep = chosen(1 / 3)
    return (keep * x + (1 - keep) * soft).clamp(-1, 1)


def _blur(images: Tensor, sigma: float) -> Tensor:
    radius = math.ceil(2.5 * sigma)
    kernel = torch.exp(-((torch.arange(-radius, radius + 1) / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum()).repeat(3, 1)
    padded = F.pad(images, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel[:, None, None, :], groups=3), kernel[:, None, :, None], groups=3)


CLASSES = [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS]
"""In the order of `Pool.largest`."""
