"""The loss on held-out images."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frido.contracts.context import Context
from frido.contracts.pyramid import Pyramid
from frido.diffusion.times.base import Times
from frido.tasks.denoising_error import DenoisingError
from frido.tasks.draws import draw

BANDS = 4
"""Equal parts of the schedule; band 0 is the cleanest."""


class HeldOutError:
    """The loss of training on other images, by scale and band of time, with times and noise that never change.

    Every image is looked at once in every band, so that bands are measured on the same images. Its times and noise
    are a function of the seed and its row: the same at every look, and in runs of equal seed. No condition is dropped.

    Args:
        error: That of training.
        times: Those of training, here evenly spread.
        seed: Of the noise.
    """

    def __init__(self, *, error: DenoisingError, times: Times, seed: int) -> None:
        self.error, self.times, self.seed = error, times, seed

    def __call__(
        self, pyramid: Pyramid, context: Context, *, rows: Int[Tensor, "batch"]
    ) -> Float[Tensor, "scales bands batch"]:
        """Return the weighted losses; `rows` are places of the images in their split."""
        shapes = self.error.shapes(pyramid)
        device, rows = rows.device, rows.cpu()  # once: whoever draws would wait for them
        places = evenly(rows)

        def losses(scale: int, band: int) -> Tensor:
            time = self.times((band + places) / BANDS, num_steps=self.error.schedule.num_steps).to(device)
            prefix = f"held out/{band}/"
            draws = draw(rows, scale=scale, shapes=shapes, time=time, seed=self.seed, prefix=prefix)
            return self.error(pyramid, scale=scale, context=context, draws=draws)

        return torch.stack(
            [torch.stack([losses(scale, band) for band in range(BANDS)]) for scale in range(len(pyramid))]
        )


def evenly(rows: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """Return a number in [0, 1) per row: any consecutive rows cover it evenly (van der Corput, 1935, in base 2)."""
    place, rest, share = torch.zeros(len(rows), dtype=torch.float64, device=rows.device), rows.clone(), 0.5
    while rest.any():
        place += share * (rest % 2)
        rest, share = rest // 2, share / 2
    return place
