"""Pixel by pixel, and codebooks."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders.base import Reconstruction
from frido.autoencoders.losses.base import AutoencoderLoss, Perceptual


class ReconstructionLoss(AutoencoderLoss):
    """Mean absolute error, plus a perceptual distance if there is one, plus the codebook loss.

    Args:
        codebook_weight: Of the codebook loss.
        perceptual: Brings its own weight; null for none.
    """

    def __init__(self, *, codebook_weight: float, perceptual: Perceptual | None) -> None:
        super().__init__()
        self.codebook_weight, self.perceptual = codebook_weight, perceptual
        self.opponent = None

    def forward(
        self,
        made: Reconstruction,
        images: Float[Tensor, "batch 3 height width"],
        *,
        positions: Int[Tensor, "batch"],
        last_layer: nn.Parameter,
    ) -> dict[str, Tensor]:
        parts = distances(made, images, self.perceptual)
        loss = parts["reconstruction"] + self.codebook_weight * made.codebook_loss
        return {"loss": loss, **parts, "codebook_loss": made.codebook_loss}


def distances(made: Reconstruction, images: Tensor, perceptual: Perceptual | None) -> dict[str, Tensor]:
    """Return `reconstruction`, the sum to train on (the "nll" of Esser et al., 2021), and its parts."""
    l1 = (images - made.images).abs().mean()
    if perceptual is None:
        return {"reconstruction": l1, "l1": l1}
    distance = perceptual(made.images, images).mean()
    return {"reconstruction": l1 + perceptual.weight * distance, "l1": l1, "perceptual": distance}
