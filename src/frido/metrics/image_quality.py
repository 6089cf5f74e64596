"""How near an image is to another, per image; both in [-1, 1], the made one clipped to it."""

import torch
from jaxtyping import Float
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
"""Of SSIM's Gaussian windows, pixels."""
SMALLEST = WINDOW // 2 + 1
"""Side of an image that SSIM can be told of, pixels."""
LUMINANCE, CONTRAST = 0.01**2, 0.03**2
"""SSIM's constants for images on [0, 1]."""


def psnr(
    made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch"]:
    """Return the peak signal-to-noise ratio in dB; 100 for equal images."""
    error = ((made.clamp(-1, 1) - images) / 2).square().mean(dim=(1, 2, 3))
    return -10 * error.clamp_min(1e-10).log10()


def ssim(
    made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch"]:
    """Return the structural similarity (Wang et al., 2004, equation 13), mean over RGB and pixels; 1 for equal images.

    Around each pixel is a Gaussian window, which sees the image mirrored beyond its border, as torchmetrics' does.
    In float32 to about 0.0002.
    """
    assert min(images.shape[2:]) >= SMALLEST, "the mirrored border is larger than these images"
    # On [0, 1], as published: its luminance term is not the same on a shifted range.
    x, y = (made.clamp(-1, 1) + 1) / 2, (images + 1) / 2
    mean_x, mean_y, xx, yy, xy = (_blurred(part) for part in (x, y, x * x, y * y, x * y))
    variances = (xx - mean_x**2).clamp_min(0) + (yy - mean_y**2).clamp_min(0)
    covariance = xy - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + LUMINANCE) / (mean_x**2 + mean_y**2 + LUMINANCE)
    return (luminance * (2 * covariance + CONTRAST) / (variances + CONTRAST)).mean(dim=(1, 2, 3))


def _blurred(maps: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """Return the mean of the window around each pixel, along one axis after the other."""
    maps = torch.nn.functional.pad(maps, (WINDOW // 2,) * 4, mode="reflect")
    places = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(places**2) / (2 * SIGMA**2))
    for axis in (2, 3):
        count = maps.shape[axis] - WINDOW + 1
        total = torch.zeros_like(maps.narrow(axis, 0, count))
        for first, weight in enumerate((weights / weights.sum()).tolist()):
            total.add_(maps.narrow(axis, first, count), alpha=weight)
        maps = total
    return maps
