"""From noise to a latent."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from frido.contracts.denoiser import Denoise


class Sampler(ABC):
    """Runs the reverse chain of one scale. Built by a partial with run-time `schedule` and `parameterization`.

    A sampler sees a `Denoise` and nothing else, keeps no state between chains, and draws no randomness itself.
    """

    @abstractmethod
    def __call__(
        self,
        denoise: Denoise,
        noisy: Float[Tensor, "batch channels height width"],
        *,
        noise: Callable[[int], Tensor],
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the latent at the clean end of the chain that starts at `noisy`.

        `noise(step)` is standard normal of the shape of `noisy`; step counts network calls from 0.
        """
