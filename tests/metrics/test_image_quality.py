"""Closed forms of what images are compared by."""

import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from frido.metrics.image_quality import psnr, ssim


def test_psnr_by_hand():
    images = torch.zeros(2, 3, 4, 4)
    made = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 5.0)])
    torch.testing.assert_close(psnr(made, images), torch.tensor([20.0, 6.0206]), atol=1e-4, rtol=0)


def test_ssim_by_hand():
    """Of flat images only the luminance term is left: `(2ab + c) / (a^2 + b^2 + c)` on [0, 1], with `c = 0.01^2`."""
    a, b = 0.25, 0.75
    made, images = (torch.full((2, 3, 16, 16), 2 * value - 1) for value in (a, b))
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    torch.testing.assert_close(ssim(made, images), torch.full((2,), expected), atol=1e-3, rtol=0)  # float32
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert ssim(image, image).item() == pytest.approx(1, abs=1e-3)


def test_ssim_is_that_of_torchmetrics():
    random = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, 20, 31, generator=random, dtype=torch.float64) * 2 - 1
    made = images + 0.4 * torch.randn(images.shape, generator=random, dtype=torch.float64)
    expected = structural_similarity_index_measure(
        (made.clamp(-1, 1) + 1) / 2, (images + 1) / 2, data_range=1.0, reduction="none"
    )
    torch.testing.assert_close(ssim(made, images), expected, atol=1e-12, rtol=0)
