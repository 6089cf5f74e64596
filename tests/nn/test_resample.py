"""Doubling the grid: two operations computed as one."""

import torch
import torch.nn.functional as F

from frido.nn.resample import Upsample


def test_upsampling_is_repeating_values_and_then_a_convolution():
    torch.manual_seed(0)
    layer = Upsample(channels=3).double()
    features = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(2, 3, 10, 8, dtype=torch.float64)
    inputs = [features, *layer.parameters()]
    written_out = layer.conv(F.interpolate(features, scale_factor=2.0, mode="nearest"))
    made = layer(features)
    torch.testing.assert_close(made, written_out, atol=1e-12, rtol=0)
    for ours, expected in zip(
        torch.autograd.grad((made * direction).sum(), inputs),
        torch.autograd.grad((written_out * direction).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(ours, expected, atol=1e-11, rtol=0)
