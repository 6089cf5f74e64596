"""What guidance of a weight has in common: when it is none, and the call under both conditions."""

from collections.abc import Callable

from torch import Tensor

from frido.contracts.denoiser import Condition, Denoiser, concatenate
from frido.diffusion.per_scale import at_scale


def presses(weight: float | list[float]) -> bool:
    """Return whether `weight`, of all scales or of each, is another than 1 at some scale."""
    return any(number != 1 for number in (weight if isinstance(weight, list) else [weight]))


def weight_at(weight: float | list[float], scale: int, *, num_scales: int) -> float:
    """Return the weight of one scale; raise `FridoError` where a list is not of `num_scales`."""
    return at_scale(weight, scale, num_scales=num_scales, setting="diffusion.guidance.weight")


def under_both(
    denoiser: Denoiser, condition: Condition, empty: Condition
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the predictions under the empty condition and the full one, as a function of latent and time.

    One call of the network on a batch of twice the size.
    """
    both = concatenate([empty, condition])

    def predictions(noisy: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        unconditional, conditional = denoiser(noisy.repeat(2, 1, 1, 1), time.repeat(2), both).chunk(2)
        return unconditional, conditional

    return predictions
