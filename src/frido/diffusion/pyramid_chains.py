"""The order of a pyramid's chains: coarse to fine, each given all before it."""

from collections.abc import Callable, Sequence

from torch import Tensor

from frido.contracts.context import Context
from frido.contracts.denoiser import Denoiser
from frido.contracts.pyramid import Pyramid
from frido.diffusion.guidance.base import Guidance
from frido.diffusion.layouts.base import Layout, Shape
from frido.diffusion.samplers.base import Sampler


def run_chains(
    *,
    denoiser: Denoiser,
    context: Context,
    empty: Context,
    sampler: Sampler,
    guidance: Guidance,
    layout: Layout,
    own_shapes: Sequence[Shape],
    start: Pyramid,
    noise: Callable[[int, int], Tensor],
) -> Pyramid:
    """Sample every scale, coarsest first, and return the pyramid on the autoencoder's grids.

    Args:
        denoiser: Of all scales; asked for a condition once per scale.
        context: What to draw.
        empty: The empty context of the same shapes, for guidance.
        sampler: Of every chain.
        guidance: Of every chain.
        layout: Where the chains run.
        own_shapes: Of the latents on the autoencoder's grids.
        start: Standard normal noise of the layout's shapes.
        noise: `noise(scale, step)`, standard normal, for samplers that add some.
    """
    done: Pyramid = ()
    for scale, noisy in enumerate(start):
        coarse = layout.coarse(done, own=own_shapes)
        condition = denoiser.condition(scale=scale, coarse=coarse, context=context)
        blank = condition
        if guidance.uses_empty:
            blank = denoiser.condition(scale=scale, coarse=coarse, context=empty)

        def noise_of_scale(step: int, scale: int = scale) -> Tensor:
            return noise(scale, step)

        latent = sampler(guidance(denoiser, condition, blank), noisy, noise=noise_of_scale)
        done = (*done, layout.settle(latent, scale=scale, own=own_shapes))
    return layout.restore(done, own=own_shapes)
