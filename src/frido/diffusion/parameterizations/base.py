"""What a network predicts."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor


class Parameterization(ABC):
    """Translates between a prediction, the clean latent and the noise, where `noisy = alpha * clean + sigma * noise`.

    `alpha` and `sigma` broadcast against the latents: numbers as tensors, or one per sample with trailing ones.
    Promise: `to_clean` and `to_noise` of the `target` give back the clean latent and the noise.
    """

    @abstractmethod
    def target(self, clean: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        """Return what the network should say."""

    @abstractmethod
    def to_clean(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        """Return the clean latent that a prediction means."""

    @abstractmethod
    def to_noise(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        """Return the noise that a prediction means."""
