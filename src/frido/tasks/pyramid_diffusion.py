"""Diffusion over a latent pyramid: where denoiser, conditioner and mathematics meet."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.conditioning.base import Conditioner
from frido.conditioning.views.base import Prepared, View
from frido.contracts import rng
from frido.contracts.batch import Annotations, Batch
from frido.contracts.denoiser import Denoiser
from frido.contracts.errors import FridoError
from frido.contracts.phase import Phase
from frido.contracts.pyramid import Pyramid
from frido.diffusion.given import Given, check_given
from frido.diffusion.guidance.base import Guidance
from frido.diffusion.layouts.base import Layout, Shape
from frido.diffusion.losses.base import Loss
from frido.diffusion.noising.base import TeacherForcing
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.pyramid_chains import ChainNoise, WatchPyramid, run_chains
from frido.diffusion.samplers.base import Sampler
from frido.diffusion.scales.base import Scales
from frido.diffusion.schedules.base import Schedule
from frido.diffusion.terminal_signal import check_terminal_signal
from frido.diffusion.times.base import Times
from frido.diffusion.weights.base import Weighting
from frido.tasks.denoising import DenoisingPhase
from frido.tasks.denoising_error import DenoisingError
from frido.tasks.held_out_error import HeldOutError


class PyramidDiffusion(nn.Module):
    """Trains and samples a denoiser over the pyramid of an autoencoder.

    Args:
        denoiser: Of all scales (run time).
        conditioner: Whose width the denoiser was built for (run time).
        view: Whose map the denoiser was built for (run time).
        schedule: Of the noise (run time).
        parameterization: What the denoiser predicts (run time).
        teacher_forcing: How finer scales see the true coarser ones (run time).
        layout: On which grids the chains run (run time).
        loss: Between prediction and target, per sample.
        weighting: Of the loss over times.
        times: That a sample is trained at.
        scales: Which scales a sample trains; takes `num_scales`.
        scale_weights: Of the scales' losses, coarsest first; null shares 1 equally. Frido: 0.5 each.
        condition_dropout: Share of training samples that see the empty condition; guidance needs some.
        seed: Of noise, times and dropout in training.
    """

    def __init__(
        self,
        *,
        denoiser: Denoiser,
        conditioner: Conditioner,
        view: View,
        schedule: Schedule,
        parameterization: Parameterization,
        teacher_forcing: TeacherForcing,
        layout: Layout,
        loss: Loss,
        weighting: Weighting,
        times: Times,
        scales: Callable[..., Scales],
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
        check_terminal_signal(schedule, parameterization)
        self.denoiser, self.conditioner, self.view, self.layout = denoiser, conditioner, view, layout
        self.schedule, self.parameterization, self.teacher_forcing = schedule, parameterization, teacher_forcing
        self.condition_dropout = condition_dropout
        error = DenoisingError(
            denoiser=denoiser,
            schedule=schedule,
            parameterization=parameterization,
            teacher_forcing=teacher_forcing,
            layout=layout,
            loss=loss,
            weighting=weighting,
        )
        phase = DenoisingPhase(
            error=error,
            conditioner=conditioner,
            view=view,
            scales=scales(num_scales=num_scales),
            times=times,
            scale_weights=[1 / num_scales] * num_scales if scale_weights is None else scale_weights,
            condition_dropout=condition_dropout,
            seed=seed,
        )
        self._phases = (phase,)  # in a tuple: its modules are this module's own already
        self._held_out = HeldOutError(error=error, times=times, seed=seed)

    def phases(self) -> list[Phase]:
        return list(self._phases)

    def held_out_losses(self, batch: Batch) -> Float[Tensor, "scales bands batch"]:
        """Return the weighted losses of held-out latents, at times and with noise that never change."""
        assert batch.pyramid is not None, "losses are measured on latents, and the batch has none"
        context = self.conditioner(batch.annotations)._replace(map=self.view(batch.view))
        return self._held_out(batch.pyramid, context, rows=batch.positions)

    def check_sampling(self, sampler: Callable[..., Sampler], guidance: Guidance) -> Sampler:
        """Return the sampler built for this task; raise `FridoError` where it or `guidance` does not fit."""
        self.check_guidance(guidance)
        built = sampler(schedule=self.schedule, parameterization=self.parameterization)
        num_scales = len(self.denoiser.channels)
        for scale in range(num_scales):
            built.at(scale, num_scales=num_scales)
        return built

    def check_guidance(self, guidance: Guidance) -> None:
        """Raise `FridoError` where `guidance` needs an empty condition that training never shows.

        Also where it has weights per scale, and not one for each of these scales.
        """
        num_scales = len(self.denoiser.channels)
        if not any(guidance.at(scale, num_scales=num_scales).uses_empty for scale in range(num_scales)):
            return
        if self.conditioner.width == 0 and self.conditioner.pooled_width == 0:
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

    def first_noise(self, *, shapes: Sequence[Shape], seed: int, keys: Int[Tensor, "batch"]) -> Pyramid:
        """Return the noise that `generate` begins the chains with, on their grids; arguments are as there."""
        return tuple(
            rng.normal(keys, seed=seed, purpose=_first(scale), shape=shape)
            for scale, shape in enumerate(self.layout.shapes(shapes))
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
        view: Prepared = None,
        given: Sequence[Given | None] | None = None,
        watch: WatchPyramid | None = None,
    ) -> Pyramid:
        """Sample a pyramid for each scene, on the autoencoder's grids.

        Args:
            annotations: On the denoiser's device.
            sampler: Partial that takes `schedule` and `parameterization`.
            guidance: Of every chain.
            shapes: `(channels, height, width)` of each scale on the autoencoder's grids, coarsest first.
            seed: Of the noise.
            keys: One number per sample; its noise is a function of `(seed, key)`, whatever else is in the batch.
            view: What the view prepared of each scene's image, on the denoiser's device.
            given: Of each scale, coarsest first, what is not to be drawn, or not from noise alone; `None` draws all.
            watch: Told what the denoiser believes at every step of every scale; it changes nothing.
        """
        built = self.check_sampling(sampler, guidance)
        given = [None] * len(shapes) if given is None else given
        check_given(given, shapes, batch=len(keys))
        chain_shapes, own_keys = self.layout.shapes(shapes), keys.cpu()

        def normal(purpose: str, scale: int) -> Tensor:
            return rng.normal(own_keys, seed=seed, purpose=purpose, shape=chain_shapes[scale], device=keys.device)

        modes = [(module, module.training) for module in (self.denoiser, self.conditioner, self.view)]
        for module, _ in modes:
            module.eval()
        try:
            shown = self.view(view)
            return run_chains(
                denoiser=self.denoiser,
                context=self.conditioner(annotations)._replace(map=shown),
                empty=self.conditioner.empty(annotations)._replace(map=shown),
                sampler=built,
                guidance=guidance,
                teacher_forcing=self.teacher_forcing,
                layout=self.layout,
                own_shapes=shapes,
                noise=ChainNoise(
                    start=lambda scale: normal(_first(scale), scale),
                    fresh=lambda scale, step: normal(f"sample/{scale}/{step}", scale),
                    kept=lambda scale, step: normal(f"keep/{scale}/{step}", scale),
                    coarse=lambda scale, k: normal(f"sample coarse/{scale}/{k}", k),
                ),
                given=given,
                watch=watch,
            )
        finally:
            for module, training in modes:
                module.train(training)


def _first(scale: int) -> str:
    """Return the purpose of the noise that the chain of a scale begins with."""
    return f"sample/{scale}/-1"
