"""How much signal and noise there is at each time."""

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor


class Schedule(ABC):
    """A variance-preserving noise schedule, `noisy = alpha * clean + sigma * noise` with `alpha^2 + sigma^2 = 1`.

    Times count the training steps 0 (nearly clean) to `num_steps - 1` (nearly pure noise); between them the log
    signal-to-noise ratio is linear; on the way to a last step without any signal, where its logarithm is minus
    infinity, `alpha` is. A kind of schedule only gives the betas; all else follows from them, in float64.
    """

    @abstractmethod
    def betas(self) -> Float[Tensor, "num_steps"]:
        """Return the variance added by each step, float64, in (0, 1); the last may be 1."""

    @cached_property
    def alphas_cumprod(self) -> Float[Tensor, "num_steps"]:
        """Signal variance `alpha^2` at each whole time, decreasing."""
        return torch.cumprod(1 - self.betas(), dim=0)

    @cached_property
    def _log_snr(self) -> Float[Tensor, "num_steps"]:
        return torch.log(self.alphas_cumprod) - torch.log1p(-self.alphas_cumprod)

    @cached_property
    def _copies(self) -> dict[torch.device, Float[Tensor, "num_steps"]]:
        return {}

    def _table(self, device: torch.device) -> Float[Tensor, "num_steps"]:
        """Return the log signal-to-noise ratios on `device`; copied there once, since a GPU is waited for."""
        if device not in self._copies:
            self._copies[device] = self._log_snr.to(device)
        return self._copies[device]

    @property
    def num_steps(self) -> int:
        return len(self.alphas_cumprod)

    @property
    def ends_in_noise(self) -> bool:
        """Whether no signal at all is left at the last step."""
        return bool(self.alphas_cumprod[-1] == 0)

    def log_snr(self, time: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return `log(alpha^2 / sigma^2)` in float64; times outside the table are taken to its ends."""
        table = self._table(time.device)
        place = time.double().clamp(0, self.num_steps - 1)
        below = place.floor().long().clamp(max=self.num_steps - 2)
        cleaner, noisier, fraction = table[below], table[below + 1], place - below
        alpha = torch.sigmoid(cleaner).sqrt() * (1 - fraction)
        fading = 2 * torch.log(alpha) - torch.log1p(-(alpha**2))
        return torch.where(noisier.isinf(), fading, torch.lerp(cleaner, noisier, fraction))

    def time(self, log_snr: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return the time at which `log_snr` is reached: the inverse of `Schedule.log_snr` within the table."""
        wanted = log_snr.double()
        table = self._table(wanted.device)
        below = (torch.searchsorted(-table, -wanted.contiguous()) - 1).clamp(0, self.num_steps - 2)
        cleaner, noisier = table[below], table[below + 1]
        faded = 1 - (torch.sigmoid(wanted) / torch.sigmoid(cleaner)).sqrt()
        fraction = torch.where(noisier.isinf(), faded, (cleaner - wanted) / (cleaner - noisier))
        return (below + fraction).clamp(0, self.num_steps - 1)

    def alpha(self, time: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return the factor of the clean latent, float64."""
        return torch.sigmoid(self.log_snr(time)).sqrt()

    def sigma(self, time: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return the factor of the noise, float64."""
        return torch.sigmoid(-self.log_snr(time)).sqrt()
