"""Small PyU-Nets of two scales, and what they are called with."""

import math

import torch

from frido.contracts.context import Context, ContextWidths
from tests.denoisers import options

CHANNELS = (3, 4)
GRIDS = (4, 8)


def build(
    gate="spade",
    trunk="shared",
    channels=CHANNELS,
    context_width=24,
    widths=None,
    level=False,
    **changes,
):
    node = options.node("denoiser", "pyunet")
    node |= {"gate": options.node("denoiser/gate", gate), "trunk": options.node("denoiser/trunk", trunk)} | changes
    widths = widths or ContextWidths(tokens=context_width, map=0, pooled=0)
    return options.make(node)(channels=channels, context=widths, tells_level=level)


def awake(network):
    """Replace every zero of the initialisation, so that outputs depend on everything."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                spread = 1 / math.sqrt(parameter[0].numel())
                parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return network


def inputs(scale, batch=2, seed=0):
    """Return a noisy latent, coarser ones and a context of five tokens, of which two are padding."""
    generator = torch.Generator().manual_seed(seed)
    side = GRIDS[scale]

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    coarse = tuple(draw(batch, CHANNELS[s], side, side) for s in range(scale))
    mask = torch.ones(batch, 5, dtype=torch.bool)
    mask[:, 3:] = False
    return draw(batch, CHANNELS[scale], side, side), coarse, Context(tokens=draw(batch, 5, 24), mask=mask)


def draw(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def predict(network, scale, context, *, level=None):
    noisy, coarse, _ = inputs(scale)
    condition = network.condition(scale=scale, coarse=coarse, context=context, level=level)
    return network(noisy, torch.tensor([10.0, 500.0]), condition)
