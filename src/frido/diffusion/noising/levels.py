"""Levels of noise in a latent of unit variance."""

from jaxtyping import Float
from torch import Tensor

from frido.contracts.errors import FridoError


def check_level(name: str, level: float, *, largest: float) -> float:
    """Return `level`, a share or deviation of noise, if it is in [0, largest]; raise `FridoError` otherwise."""
    if not 0 <= level <= largest:
        raise FridoError(
            f"diffusion.teacher_forcing.{name}",
            got=level,
            wanted=f"a share of noise in [0, {float(largest)}]: 0 is the latent alone, 1 noise alone",
            do=f"diffusion.teacher_forcing.{name}={min(0.1, largest)}",
        )
    return level


def variance_preserving(
    latent: Float[Tensor, "batch channels height width"],
    noise: Float[Tensor, "batch channels height width"],
    level: Float[Tensor, "batch"],
) -> Float[Tensor, "batch channels height width"]:
    """Return `sqrt(1 - level^2) * latent + level * noise`, of unit variance where both are and are independent."""
    level = level.to(latent.dtype).view(-1, 1, 1, 1)
    return (1 - level**2).sqrt() * latent + level * noise
