"""Diffusion over a latent pyramid: where denoiser, conditioner and mathematics meet."""

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn

from frido.conditioning.base import Conditioner
from frido.contracts import rng
from frido.contracts.batch import Annotations, Batch
from frido.contracts.context import choose
from frido.contracts.denoiser import Denoiser
from frido.contracts.errors import FridoError
from frido.contracts.phase import Phase
from frido.contracts.pyramid import Pyramid
from frido.diffusion.guidance.base import Guidance
from frido.diffusion.layouts.base import Layout, Shape
from frido.diffusion.losses.base import Loss
from frido.diffusion.noising.base import TeacherForcing
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.pyramid_chains import run_chains
from frido.diffusion.samplers.base import Sampler
from frido.diffusion.schedules.base import Schedule


class DenoisingPhase(Phase):
    """Trains all scales of a denoiser, and its conditioner, on the latents of a batch.

    Every scale is noised for itself at one time per sample that all scales share, and sees the true coarser latents
    through teacher forcing (Frido). All randomness is a function of the sample's position.
    """

    name = "denoiser"

    def __init__(
        self,
        *,
        denoiser: Denoiser,
        conditioner: Conditioner,
        schedule: Schedule,
        parameterization: Parameterization,
        teacher_forcing: TeacherForcing,
        layout: Layout,
        loss: Loss,
        scale_weights: Sequence[float],
        condition_dropout: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.denoiser, self.conditioner = denoiser, conditioner
        self.schedule, self.parameterization = schedule, parameterization
        self.teacher_forcing, self.layout, self.loss = teacher_forcing, layout, loss
        self.scale_weights, self.condition_dropout, self.seed = scale_weights, condition_dropout, seed

    def trained(self) -> Iterable[nn.Parameter]:
        return (parameter for parameter in self.parameters() if parameter.requires_grad)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return `loss`, its weighted sum, and `loss/scale<s>`, each scale's own."""
        assert batch.pyramid is not None, "the denoiser trains on latents, and the batch has none"
        positions = batch.positions
        own = [(latent.shape[1], latent.shape[2], latent.shape[3]) for latent in batch.pyramid]
        clean = self.layout.arrange(batch.pyramid)

        context = self.conditioner(batch.annotations)
        empty = self.conditioner.empty(batch.annotations)
        keep = rng.uniform(positions, seed=self.seed, purpose="condition dropout") >= self.condition_dropout
        context = choose(keep, context, empty)

        time = rng.uniform(positions, seed=self.seed, purpose="time") * self.schedule.num_steps
        time = time.floor().to(torch.float32)
        alpha, sigma = (
            factor(time).to(clean[0].dtype).view(-1, 1, 1, 1) for factor in (self.schedule.alpha, self.schedule.sigma)
        )

        losses: dict[str, Tensor] = {}
        total = torch.zeros((), device=positions.device)
        for scale, latent in enumerate(clean):
            forced = self.teacher_forcing(
                clean[:scale],
                tuple(self._noise(positions, f"coarse/{scale}/{k}", clean[k]) for k in range(scale)),
            )
            coarse = self.layout.coarse(forced, own=own)
            noise = self._noise(positions, f"noise/{scale}", latent)
            condition = self.denoiser.condition(scale=scale, coarse=coarse, context=context)
            prediction = self.denoiser(alpha * latent + sigma * noise, time, condition)
            target = self.parameterization.target(latent, noise, alpha, sigma)
            losses[f"loss/scale{scale}"] = self.loss(prediction, target).mean()
            total = total + self.scale_weights[scale] * losses[f"loss/scale{scale}"]
        return {"loss": total, **{name: value.detach() for name, value in losses.items()}}

    def _noise(self, positions: Tensor, purpose: str, like: Tensor) -> Tensor:
        return rng.normal(positions, seed=self.seed, purpose=purpose, shape=like.shape[1:]).to(like.dtype)


class PyramidDiffusion(nn.Module):
    """Trains and samples a denoiser over the pyramid of an autoencoder.

    Args:
        denoiser: Of all scales (run time).
        conditioner: Whose width the denoiser was built for (run time).
        schedule: Of the noise (run time).
        parameterization: What the denoiser predicts (run time).
        teacher_forcing: How finer scales see the true coarser ones (run time).
        layout: On which grids the chains run (run time).
        loss: Between prediction and target, per sample.
        scale_weights: Of the scales' losses, coarsest first; null shares 1 equally. Frido: 0.5 each.
        condition_dropout: Share of training samples that see the empty condition; guidance needs some.
        seed: Of noise, times and dropout in training.
    """

    def __init__(
        self,
        *,
        denoiser: Denoiser,
        conditioner: Conditioner,
        schedule: Schedule,
        parameterization: Parameterization,
        teacher_forcing: TeacherForcing,
        layout: Layout,
        loss: Loss,
        scale_weights: list[float] | None,
        condition_dropout: float,
        seed: int,
    ) -> None:
        super().__init__()
        num_scales = len(denoiser.channels)
        if scale_weights is not None and len(scale_weights) != num_scales:
            raise FridoError(
                "task.scale_weights",
                got=scale_weights,
                wanted=f"{num_scales} numbers, one per scale of the autoencoder, coarsest first",
                do="task.scale_weights=null shares 1 equally",
            )
        if not 0 <= condition_dropout <= 1:
            raise FridoError(
                "task.condition_dropout",
                got=condition_dropout,
                wanted="a share in [0, 1]",
                do="task.condition_dropout=0.1",
            )
        self.denoiser, self.conditioner, self.layout = denoiser, conditioner, layout
        self.schedule, self.parameterization, self.condition_dropout = schedule, parameterization, condition_dropout
        phase = DenoisingPhase(
            denoiser=denoiser,
            conditioner=conditioner,
            schedule=schedule,
            parameterization=parameterization,
            teacher_forcing=teacher_forcing,
            layout=layout,
            loss=loss,
            scale_weights=[1 / num_scales] * num_scales if scale_weights is None else scale_weights,
            condition_dropout=condition_dropout,
            seed=seed,
        )
        self._phases = (phase,)  # in a tuple: its modules are this module's own already

    def phases(self) -> list[Phase]:
        return list(self._phases)

    def check_guidance(self, guidance: Guidance) -> None:
        """Raise `FridoError` where `guidance` needs an empty condition that training never shows."""
        if not guidance.uses_empty:
            return
        if self.conditioner.width == 0:
            raise FridoError(
                "diffusion.guidance",
                got=f"{type(guidance).__name__} without a condition",
                wanted="a conditioner to guide by, or no guidance",
                do="diffusion/guidance=none",
            )
        if self.condition_dropout == 0:
            raise FridoError(
                "task.condition_dropout",
                got=f"0 together with {type(guidance).__name__}, which compares with the empty condition",
                wanted="a share above 0, so that the denoiser learns the empty condition",
                do="task.condition_dropout=0.1, or diffusion/guidance=none",
            )

    @torch.no_grad()
    def generate(
        self,
        annotations: Annotations,
        *,
        sampler: Callable[..., Sampler],
        guidance: Guidance,
        shapes: Sequence[Shape],
        seed: int,
        keys: Int[Tensor, "batch"],
    ) -> Pyramid:
        """Sample a pyramid for each scene, on the autoencoder's grids.

        Args:
            annotations: On the denoiser's device.
            sampler: Partial that takes `schedule` and `parameterization`.
            guidance: Of every chain.
            shapes: `(channels, height, width)` of each scale on the autoencoder's grids, coarsest first.
            seed: Of the noise.
            keys: One number per sample; its noise is a function of `(seed, key)`, whatever else is in the batch.
        """
        self.check_guidance(guidance)
        chain_shapes = self.layout.shapes(shapes)

        def noise(scale: int, step: int) -> Tensor:
            return rng.normal(keys, seed=seed, purpose=f"sample/{scale}/{step}", shape=chain_shapes[scale])

        modes = [(module, module.training) for module in (self.denoiser, self.conditioner)]
        for module, _ in modes:
            module.eval()
        try:
            return run_chains(
                denoiser=self.denoiser,
                context=self.conditioner(annotations),
                empty=self.conditioner.empty(annotations),
                sampler=sampler(schedule=self.schedule, parameterization=self.parameterization),
                guidance=guidance,
                layout=self.layout,
                own_shapes=shapes,
                start=tuple(noise(scale, -1) for scale in range(len(chain_shapes))),
                noise=noise,
            )
        finally:
            for module, training in modes:
                module.train(training)
