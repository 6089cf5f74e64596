"""What is given of a pyramid before it is drawn: a picture to keep, to fill in, or to start from."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from frido.contracts.errors import FridoError
from frido.diffusion.layouts.base import Shape


class Given(NamedTuple):
    """What is given of one scale, on the autoencoder's own grid.

    Where `keep` is True the result is `latent`, and the rest is drawn to fit (inpainting); `None` keeps nothing.
    A scale that is kept everywhere is not drawn at all: finer ones start from it.
    With `strength` below 1 the chain starts at that share of the schedule, from the noised `latent`
    (image to image); with 1 from noise alone.
    """

    latent: Float[Tensor, "batch channels height width"]
    keep: Bool[Tensor, "batch 1 height width"] | None
    strength: float

    @property
    def whole(self) -> bool:
        """Whether nothing is left to draw."""
        return self.keep is not None and bool(self.keep.all())

    def into(self, drawn: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Return what was drawn with what is kept in its place."""
        return drawn if self.keep is None else torch.where(self.keep, self.latent.to(drawn), drawn)

    def on_grid(self, shape: Shape) -> "Given":
        """Return the same on the grid of a chain (nearest neighbour, as layouts arrange latents)."""
        latent = F.interpolate(self.latent, size=shape[1:], mode="nearest")
        keep = None if self.keep is None else F.interpolate(self.keep.float(), size=shape[1:], mode="nearest").bool()
        return Given(latent, keep, self.strength)


class Anchor(NamedTuple):
    """What is given to one chain, on its grid, with the noise that brings it to a noise level."""

    given: Given
    noise: Callable[[int], Tensor]
    """`noise(step)`, standard normal of the latent's shape."""

    def first(self, times: Sequence[float], last_time: int) -> int:
        """Return the step that a chain through `times` starts with: the first within the share of the schedule."""
        within = [step for step, time in enumerate(times[:-1]) if time <= self.given.strength * last_time]
        return 0 if self.given.strength == 1 else min([*within, len(times) - 2])

    def start(self, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Return the latent that the chain starts from."""
        return noise if self.given.strength == 1 else alpha * self.given.latent.to(noise) + sigma * noise

    def hold(self, noisy: Tensor, step: int, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Return `noisy` with what is kept, noised to the level of `step`, in its place (LDM)."""
        if self.given.keep is None:
            return noisy
        noised = alpha * self.given.latent.to(noisy) + sigma * self.noise(step).to(noisy)
        return torch.where(self.given.keep, noised, noisy)


def check_given(given: Sequence[Given | None], shapes: Sequence[Shape], *, batch: int) -> None:
    """Raise `FridoError` where what is given does not fit a pyramid of `shapes`, or its strength is no share."""
    if len(given) != len(shapes):
        raise FridoError(
            "given",
            got=f"{len(given)} scales",
            wanted=f"{len(shapes)}, coarsest first",
            do="give None for a free scale",
        )
    for scale, (part, shape) in enumerate(zip(given, shapes, strict=True)):
        if part is None:
            continue
        if part.latent.shape != (batch, *shape):
            raise FridoError(
                f"given[{scale}].latent",
                got=f"shape {tuple(part.latent.shape)}",
                wanted=f"{(batch, *shape)}: the autoencoder's own grid, one latent per scene",
                do="give what autoencoder.encode returns for images of this resolution",
            )
        if part.keep is not None and part.keep.shape != (batch, 1, *shape[1:]):
            raise FridoError(
                f"given[{scale}].keep",
                got=f"shape {tuple(part.keep.shape)}",
                wanted=f"{(batch, 1, *shape[1:])}: one truth value per cell of the latent",
                do="resize the mask to the grid of the scale",
            )
        if not 0 < part.strength <= 1:
            raise FridoError(
                f"given[{scale}].strength",
                got=part.strength,
                wanted="a share of the schedule in (0, 1]",
                do="give 1.0 to start from noise alone",
            )
