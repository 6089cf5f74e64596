"""Levels of noise in a latent of unit variance."""

from jaxtyping import Float
from torch import Tensor

from frido.contracts.errors import FridoError


def check_level(name: str, level: float) -> float:
    """Return `level`, the standard deviation of the noise, if it is in [0, 1]; raise `FridoError` otherwise."""
    if not 0 <= level <= 1:
        raise FridoError(
            f"diffusion.teacher_forcing.{name}",
            got=level,
            wanted="a standard deviation in [0, 1]: 0 is the latent alone, 1 noise alone",
            do=f"diffusion.teacher_forcing.{name}=0.1",
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
