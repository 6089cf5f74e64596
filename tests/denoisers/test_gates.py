"""What every gate promises."""

import pytest
import torch

from frido.denoisers.gated_norm import GatedNorm
from frido.denoisers.gates.spade import SpadeGate
from tests.denoisers import options


@pytest.fixture(params=options.names("denoiser/gate"))
def gate(request):
    return options.build("denoiser/gate", request.param)(channels=6, coarse_channels=5)


def test_without_coarse_features_it_is_only_a_norm(gate):
    norm = GatedNorm(channels=6, groups=3, epsilon=1e-5, gate=gate, factor=1)
    hidden = torch.randn(2, 6, 8, 8)
    assert torch.equal(norm(hidden, None), torch.nn.functional.group_norm(hidden, 3, *norm.norm.parameters()))


def test_modulates_or_concatenates(gate):
    """Coarser latents come in one way or the other, never not at all."""
    if gate.concatenates:
        return
    coarse = torch.randn(2, 5, 8, 8)
    scale, shift = gate(coarse)
    assert scale.shape == shift.shape == (2, 6, 8, 8)
    norm = GatedNorm(channels=6, groups=3, epsilon=1e-5, gate=gate, factor=1)
    hidden = torch.randn(2, 6, 8, 8)
    assert not torch.allclose(norm(hidden, (scale, shift)), norm(hidden, None))
    # of the coarse features alone: one condition serves a chain
    assert torch.equal(gate(coarse)[0], scale)


def test_spade_is_its_formula():
    gate = SpadeGate(channels=6, coarse_channels=5, hidden=7)
    norm = GatedNorm(channels=6, groups=2, epsilon=1e-5, gate=gate, factor=1)
    with torch.no_grad():
        norm.norm.weight.uniform_(0.5, 2)
    hidden, coarse = torch.randn(2, 6, 4, 4), torch.randn(2, 5, 4, 4)
    grouped = hidden.view(2, 2, -1)
    normed = (grouped - grouped.mean(-1, keepdim=True)) / (grouped.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    normed = normed.view_as(hidden) * norm.norm.weight[:, None, None] + norm.norm.bias[:, None, None]
    a = gate.shared(coarse).clamp(min=0)
    expected = normed * (1 + gate.scale(a)) + gate.shift(a)
    torch.testing.assert_close(norm(hidden, gate(coarse)), expected, atol=1e-5, rtol=1e-5)


def test_groups_fit_any_width():
    for channels, groups in ((48, 16), (96, 32), (30, 2)):
        gate = SpadeGate(channels=channels, coarse_channels=2, hidden=2)
        assert GatedNorm(channels=channels, groups=32, epsilon=1e-5, gate=gate, factor=1).norm.num_groups == groups
