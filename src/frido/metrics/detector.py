"""A small centre-point network that finds coloured shapes in images of 64 px."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 4
"""Pixels per cell of the maps."""


class Maps(NamedTuple):
    """What the network says at each cell of a grid `STRIDE` times coarser than the image."""

    centre: Float[Tensor, "batch rows columns"]
    """Logits: an object's box has its centre in this cell."""
    shape: Float[Tensor, "batch shapes rows columns"]
    colour: Float[Tensor, "batch colours rows columns"]
    box: Float[Tensor, "batch 4 rows columns"]
    """Distances from the cell's centre to the box's left, top, right, bottom side, as fractions of the image."""


def _convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _level(inputs: int, outputs: int, *, stride: int, depth: int) -> nn.Sequential:
    first = _convolution(inputs, outputs, stride=stride)
    return nn.Sequential(first, *(_convolution(outputs, outputs) for _ in range(depth - 1)))


class Detector(nn.Module):
    """Centre points with class and box heads (Zhou et al., 2019, "Objects as Points") on a three-level pyramid.

    Args:
        widths: Channels at strides 4, 8 and 16.
        shapes: Number of shape words.
        colours: Number of colour words.
    """

    def __init__(self, *, widths: list[int], shapes: int, colours: int) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.sizes = [1, shapes, colours, 4]
        self.stem = nn.Sequential(_convolution(3, 32, kernel=5, stride=2), _convolution(32, fine, stride=2))
        self.fine = _level(fine, fine, stride=1, depth=4)
        self.middle = _level(fine, middle, stride=2, depth=3)
        self.coarse = _level(middle, coarse, stride=2, depth=3)
        self.to_middle = nn.Conv2d(coarse, middle, 1)
        self.out_middle = _level(middle, middle, stride=1, depth=2)
        self.to_fine = nn.Conv2d(middle, fine, 1)
        self.out_fine = _level(fine, fine, stride=1, depth=2)
        self.head = nn.Conv2d(fine, sum(self.sizes), 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias[:1], -4.0)  # most cells are empty: start by saying so

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Maps:
        """Return maps for images in [-1, 1]; sides are multiples of 16."""
        fine = self.fine(self.stem(images))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.out_middle(middle + F.interpolate(self.to_middle(coarse), scale_factor=2.0))
        fine = self.out_fine(fine + F.interpolate(self.to_fine(middle), scale_factor=2.0))
        centre, shape, colour, box = self.head(fine).split(self.sizes, dim=1)
        return Maps(rearrange(centre, "b 1 h w -> b h w"), shape, colour, box)


def cell_centres(rows: int, columns: int) -> tuple[Float[Tensor, "rows columns"], Float[Tensor, "rows columns"]]:
    """Return x and y of the cells' centres as fractions of the image."""
    y, x = torch.meshgrid((torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij")
    return x, y


def boxes_of(distances: Float[Tensor, "batch 4 rows columns"]) -> Float[Tensor, "batch 4 rows columns"]:
    """Return `(left, top, right, bottom)` as fractions of the image, from distances to the cells' centres."""
    x, y = cell_centres(*distances.shape[-2:])
    left, top, right, bottom = distances.unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], dim=1)
