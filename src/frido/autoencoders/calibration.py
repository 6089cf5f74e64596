"""Standard deviations over many batches, in one pass."""

import torch
from torch import Tensor

from frido.autoencoders import ranks


class Spread:
    """Accumulates count, sum and sum of squares per scale in float64; all ranks get the same answer."""

    def __init__(self, num_scales: int) -> None:
        self.moments = torch.zeros(num_scales, 3, dtype=torch.float64)

    def update(self, latents: tuple[Tensor, ...]) -> None:
        for scale, latent in enumerate(latents):
            values = latent.detach().double()
            self.moments[scale] += torch.stack(
                [torch.tensor(float(values.numel())), values.sum().cpu(), values.square().sum().cpu()]
            )

    def standard_deviations(self, device: torch.device) -> Tensor:
        """Return one float64 number per scale (sample standard deviation, all channels together)."""
        count, total, squares = ranks.total(self.moments.to(device)).unbind(1)
        return ((squares - total.square() / count) / (count - 1)).clamp_min(0).sqrt()
