"""Training of a denoiser: one pass over the scales of a pyramid."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn

from frido.conditioning.base import Conditioner
from frido.conditioning.views.base import View
from frido.contracts import rng
from frido.contracts.batch import Batch
from frido.contracts.context import Context, choose
from frido.contracts.phase import Phase
from frido.diffusion.scales.base import Scales
from frido.diffusion.times.base import Times
from frido.tasks.denoising_error import DenoisingError
from frido.tasks.draws import draw


class DenoisingPhase(Phase):
    """Trains a denoiser, its conditioner and its view of images, on the latents of a batch.

    A sample is at one time in all the scales that it trains (Frido). All randomness is a function of its position.
    """

    name = "denoiser"

    def __init__(
        self,
        *,
        error: DenoisingError,
        conditioner: Conditioner,
        view: View,
        scales: Scales,
        times: Times,
        scale_weights: Sequence[float],
        condition_dropout: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.denoiser, self.conditioner, self.view = error.denoiser, conditioner, view
        self.error, self.scales, self.times = error, scales, times
        self.scale_weights, self.condition_dropout, self.seed = scale_weights, condition_dropout, seed

    def trained(self) -> Iterable[nn.Parameter]:
        return (parameter for parameter in self.parameters() if parameter.requires_grad)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return `loss`, its weighted sum, and `loss/scale<s>`, the mean over the samples that train the scale."""
        assert batch.pyramid is not None, "the denoiser trains on latents, and the batch has none"
        device, positions = batch.positions.device, batch.positions.cpu()  # once: whoever draws would wait for them
        context = self._context(batch, positions)
        time = rng.uniform(positions, seed=self.seed, purpose="time", device=device)
        time = self.times(time, num_steps=self.error.schedule.num_steps)
        shapes = self.error.shapes(batch.pyramid)

        losses: dict[str, Tensor] = {}
        total = torch.zeros((), device=device)
        for scale, chosen in enumerate(self.scales.rows(positions)):
            rows = chosen if isinstance(chosen, slice) else chosen.to(device, non_blocking=True)
            loss = self.error(
                tuple(latent[rows] for latent in batch.pyramid),
                scale=scale,
                context=Context(*(None if part is None else part[rows] for part in context)),
                draws=draw(positions[chosen], scale=scale, shapes=shapes, time=time[rows], seed=self.seed),
            ).mean()
            total = total + self.scale_weights[scale] * loss
            losses[f"loss/scale{scale}"] = loss.detach()
        return {"loss": total, **losses}

    def _context(self, batch: Batch, positions: Int[Tensor, "batch"]) -> Context:
        """Return the context of each sample, or the empty one where it is dropped; the view is never dropped."""
        context, empty = self.conditioner(batch.annotations), self.conditioner.empty(batch.annotations)
        device = batch.positions.device
        share = rng.uniform(positions, seed=self.seed, purpose="condition dropout", device=device)
        return choose(share >= self.condition_dropout, context, empty)._replace(map=self.view(batch.view))
