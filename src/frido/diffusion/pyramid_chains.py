"""The order of a pyramid's chains: coarse to fine, each given all before it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from torch import Tensor

from frido.contracts.context import Context
from frido.contracts.denoiser import Denoiser
from frido.contracts.pyramid import Pyramid
from frido.diffusion.given import Anchor, Given
from frido.diffusion.guidance.base import Guidance
from frido.diffusion.layouts.base import Layout, Shape
from frido.diffusion.noising.base import TeacherForcing
from frido.diffusion.samplers.base import Sampler
from frido.diffusion.samplers.chain import Watch


class ChainNoise(NamedTuple):
    """Standard normal noise of the layout's shapes, by its purpose. Nothing is drawn before it is asked for."""

    start: Callable[[int], Tensor]
    """`start(scale)`: what a chain begins with."""
    fresh: Callable[[int, int], Tensor]
    """`fresh(scale, step)`: for samplers that add some."""
    kept: Callable[[int, int], Tensor]
    """`kept(scale, step)`: for what is given and kept, at the noise level of a step."""
    coarse: Callable[[int, int], Tensor]
    """`coarse(scale, k)`: for the latent of scale `k` as `scale` is shown it."""


WatchPyramid = Callable[[int, int, Pyramid], None]
"""`watch(scale, step, believed)`: `believed` holds the finished scales and, last, the clean latent that the network
sees at `step` of the chain of `scale`, on the autoencoder's own grids."""


def run_chains(
    *,
    denoiser: Denoiser,
    context: Context,
    empty: Context,
    sampler: Sampler,
    guidance: Guidance,
    teacher_forcing: TeacherForcing,
    layout: Layout,
    own_shapes: Sequence[Shape],
    noise: ChainNoise,
    given: Sequence[Given | None],
    watch: WatchPyramid | None = None,
) -> Pyramid:
    """Sample every scale, coarsest first, and return the pyramid on the autoencoder's grids.

    Args:
        denoiser: Of all scales; asked for a condition once per scale.
        context: What to draw.
        empty: The empty context of the same shapes, for guidance.
        sampler: Of every chain.
        guidance: Of every chain.
        teacher_forcing: How a finer scale sees the coarser ones.
        layout: Where the chains run.
        own_shapes: Of the latents on the autoencoder's grids.
        noise: Of every purpose.
        given: What is given of each scale.
        watch: Told what the network believes at every step; it changes nothing.
    """
    shapes = layout.shapes(own_shapes)
    on_grid = [part and part.on_grid(shape) for part, shape in zip(given, shapes, strict=True)]
    done: Pyramid = ()
    for scale, part in enumerate(on_grid):
        if part is not None and part.whole:
            done = (*done, part.latent)
            continue
        forced = teacher_forcing.sample(done, tuple(noise.coarse(scale, k) for k in range(scale)))
        coarse = layout.coarse(forced.coarse, own=own_shapes)
        condition = denoiser.condition(scale=scale, coarse=coarse, context=context, level=forced.level)
        guide, blank = guidance.at(scale, num_scales=len(shapes)), condition
        if guide.uses_empty:
            blank = denoiser.condition(scale=scale, coarse=coarse, context=empty, level=forced.level)

        latent = sampler.at(scale, num_scales=len(shapes))(
            guide(denoiser, condition, blank, schedule=sampler.schedule),
            noise.start(scale),
            noise=partial(noise.fresh, scale),
            anchor=part and Anchor(part, partial(noise.kept, scale)),
            watch=watch and _watching(watch, done, part=part, layout=layout, own_shapes=own_shapes),
        )
        latent = layout.settle(latent, scale=scale, own=own_shapes)
        done = (*done, latent if part is None else part.into(latent))
    restored = layout.restore(done, own=own_shapes)
    return tuple(latent if part is None else part.into(latent) for latent, part in zip(restored, given, strict=True))


def _watching(
    watch: WatchPyramid, done: Pyramid, *, part: Given | None, layout: Layout, own_shapes: Sequence[Shape]
) -> Watch:
    """Return what tells `watch` of the chain that follows those of `done`; `part` is given of it, on its grid."""
    scale = len(done)

    def tell(step: int, clean: Tensor) -> None:
        latent = layout.settle(clean, scale=scale, own=own_shapes)
        latent = latent if part is None else part.into(latent)
        watch(scale, step, layout.restore((*done, latent), own=own_shapes[: scale + 1]))

    return tell
