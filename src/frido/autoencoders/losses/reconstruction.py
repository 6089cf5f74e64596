"""What was lost, and what keeps the latents in order."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders.base import Reconstruction
from frido.autoencoders.losses.auxiliary import AuxiliaryReconstruction
from frido.autoencoders.losses.base import AutoencoderLoss, Perceptual, PixelTerm


class ReconstructionLoss(AutoencoderLoss):
    """Pixel error, plus a perceptual distance and an error per scale if there are, plus the latent loss.

    Args:
        pixel: Error of the pixels.
        perceptual: Brings its own weight; null for none.
        auxiliary: Error of each scale alone, with its own weight; null for none.
        latent_weight: Of the codebooks' losses, or of the KL divergence.
    """

    def __init__(
        self,
        *,
        pixel: PixelTerm,
        perceptual: Perceptual | None,
        auxiliary: AuxiliaryReconstruction | None,
        latent_weight: float,
    ) -> None:
        super().__init__()
        self.pixel, self.perceptual, self.auxiliary = pixel, perceptual, auxiliary
        self.latent_weight, self.opponent = latent_weight, None

    def forward(
        self,
        made: Reconstruction,
        images: Float[Tensor, "batch 3 height width"],
        *,
        positions: Int[Tensor, "batch"],
        last_layer: nn.Parameter,
    ) -> dict[str, Tensor]:
        parts = distances(made, images, pixel=self.pixel, perceptual=self.perceptual, auxiliary=self.auxiliary)
        loss = parts["reconstruction"] + self.latent_weight * made.latent_loss
        return {"loss": loss, **parts, "latent_loss": made.latent_loss}


def distances(
    made: Reconstruction,
    images: Tensor,
    *,
    pixel: PixelTerm,
    perceptual: Perceptual | None,
    auxiliary: AuxiliaryReconstruction | None,
) -> dict[str, Tensor]:
    """Return `reconstruction`, the sum to train on (the "nll" of Esser et al., 2021), and its parts."""
    total = pixel(made.images, images)
    parts = {pixel.name: total}
    if perceptual is not None:
        parts["perceptual"] = perceptual(made.images, images).mean()
        total = total + perceptual.weight * parts["perceptual"]
    if auxiliary is not None:
        parts["auxiliary"] = auxiliary(made, images, pixel)
        total = total + auxiliary.weight * parts["auxiliary"]
    return {"reconstruction": total, **parts}
