"""How far a denoiser is from its target."""

from jaxtyping import Float
from torch import Tensor

from frido.contracts.context import Context
from frido.contracts.denoiser import Denoiser
from frido.contracts.pyramid import Pyramid
from frido.diffusion.layouts.base import Layout, Shape
from frido.diffusion.losses.base import Loss
from frido.diffusion.noising.base import TeacherForcing
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.schedules.base import Schedule
from frido.diffusion.weights.base import Weighting
from frido.tasks.draws import Draws


class DenoisingError:
    """The weighted loss of a sample at one scale: what training lowers and what is measured on held-out images.

    The latent is noised at the time of the draws, and the coarser ones come in through teacher forcing (Frido).

    Args:
        denoiser: Of all scales.
        schedule: Of the noise.
        parameterization: What the denoiser predicts.
        teacher_forcing: How it sees the true coarser latents.
        layout: On which grids it works.
        loss: Between prediction and target.
        weighting: Of the loss over times.
    """

    def __init__(
        self,
        *,
        denoiser: Denoiser,
        schedule: Schedule,
        parameterization: Parameterization,
        teacher_forcing: TeacherForcing,
        layout: Layout,
        loss: Loss,
        weighting: Weighting,
    ) -> None:
        self.denoiser, self.schedule, self.parameterization = denoiser, schedule, parameterization
        self.teacher_forcing, self.layout, self.loss, self.weighting = teacher_forcing, layout, loss, weighting

    def shapes(self, pyramid: Pyramid) -> list[Shape]:
        """Return the shapes of a pyramid's noise: of its latents as the layout arranges them."""
        return self.layout.shapes(_shapes(pyramid))

    def __call__(self, pyramid: Pyramid, *, scale: int, context: Context, draws: Draws) -> Float[Tensor, "batch"]:
        """Return the weighted loss per sample.

        Args:
            pyramid: True latents of all scales on the autoencoder's grids.
            scale: The one to denoise.
            context: For the denoiser.
            draws: Times and noise.
        """
        *coarser, clean = self.layout.arrange(pyramid)[: scale + 1]
        noise = draws.noise.to(clean.dtype)
        coarse_noise = tuple(eps.to(clean.dtype) for eps in draws.coarse_noise)
        alpha, sigma = (
            factor(draws.time).to(clean.dtype).view(-1, 1, 1, 1)
            for factor in (self.schedule.alpha, self.schedule.sigma)
        )

        forced = self.teacher_forcing.train(tuple(coarser), coarse_noise, draws.level)
        coarse = self.layout.coarse(forced.coarse, own=_shapes(pyramid))
        condition = self.denoiser.condition(scale=scale, coarse=coarse, context=context, level=forced.level)
        prediction = self.denoiser(alpha * clean + sigma * noise, draws.time, condition)

        error = self.loss(prediction, self.parameterization.target(clean, noise, alpha, sigma))
        weight = self.weighting(self.schedule.log_snr(draws.time), parameterization=self.parameterization)
        return weight.to(error.dtype) * error


def _shapes(pyramid: Pyramid) -> list[Shape]:
    return [(latent.shape[1], latent.shape[2], latent.shape[3]) for latent in pyramid]
