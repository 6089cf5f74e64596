"""What a network predicts."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor


class Parameterization(ABC):
    """Translates between a prediction, the clean latent and the noise, where `noisy = alpha * clean + sigma * noise`.

    `alpha` and `sigma` broadcast against the latents: numbers as tensors, or one per sample with trailing ones.
    Promises: `to_clean` and `to_noise` of the `target` give back the clean latent and the noise, and any prediction,
    also a wrong one, is read as a pair that mixes to `noisy`.
    """

    needs_signal: bool
    """Whether `to_clean` divides by `alpha`: such a prediction says nothing of the clean latent where `alpha` is 0."""

    @abstractmethod
    def target(self, clean: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        """Return what the network should say."""

    @abstractmethod
    def to_clean(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        """Return the clean latent that a prediction means."""

    @abstractmethod
    def to_noise(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        """Return the noise that a prediction means."""

    @abstractmethod
    def error_ratio(self, log_snr: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return how many times the squared error of the clean latent the squared error of the target is.

        A loss between prediction and target weighs the clean latent's error by it (Salimans and Ho, 2022, section 4).
        `log_snr` is `log(alpha^2 / sigma^2)`.
        """
