"""What is random when a scale of a denoiser is trained."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from frido.contracts import rng
from frido.contracts.pyramid import Pyramid
from frido.diffusion.layouts.base import Shape


class Draws(NamedTuple):
    """Of each sample, for one scale."""

    time: Float[Tensor, "batch"]
    """In steps of the schedule."""
    noise: Float[Tensor, "batch channels height width"]
    """Standard normal, of the scale's latent as the layout arranges it."""
    coarse_noise: Pyramid
    """The same of the coarser latents, for teacher forcing."""
    level: Float[Tensor, "batch"]
    """In [0, 1), for teacher forcing that draws its level."""


def draw(
    positions: Int[Tensor, "batch"],
    *,
    scale: int,
    shapes: Sequence[Shape],
    time: Float[Tensor, "batch"],
    seed: int,
    prefix: str = "",
) -> Draws:
    """Return what is a function of `(seed, position)` for `scale`, at `time`.

    Args:
        positions: Of the samples in the stream; best on the CPU, see `rng.normal`.
        scale: 0 is the coarsest.
        shapes: Of the arranged pyramid.
        time: In steps of the schedule; all that is drawn goes to its device.
        seed: Of the training.
        prefix: Of the purposes: other numbers for whoever is not the training.
    """

    def normal(purpose: str, shape: Shape) -> Tensor:
        return rng.normal(positions, seed=seed, purpose=prefix + purpose, shape=shape, device=time.device)

    return Draws(
        time=time,
        noise=normal(f"noise/{scale}", shapes[scale]),
        coarse_noise=tuple(normal(f"coarse/{scale}/{k}", shapes[k]) for k in range(scale)),
        level=rng.uniform(positions, seed=seed, purpose=f"{prefix}level/{scale}", device=time.device),
    )
