"""Reconstruction with a discriminator, balanced by gradients (Esser et al., 2021, equation 7)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders import ranks
from frido.autoencoders.base import Reconstruction
from frido.autoencoders.losses.base import AutoencoderLoss, Perceptual
from frido.autoencoders.losses.hinge_opponent import HingeOpponent
from frido.autoencoders.losses.reconstruction import distances

LARGEST_WEIGHT = 1e4
EPSILON = 1e-4


class AdversarialLoss(AutoencoderLoss):
    """Absolute and perceptual error, codebook loss, and from `start_images` on a term for fooling a discriminator.

    Args:
        codebook_weight: Of the codebook loss.
        perceptual: Brings its own weight; null for none.
        discriminator: Images to logits, large for real ones.
        start_images: Images seen before the discriminator trains, and is felt.
        weight: Of the adversarial term, on top of the adaptive one.
    """

    def __init__(
        self,
        *,
        codebook_weight: float,
        perceptual: Perceptual | None,
        discriminator: nn.Module,
        start_images: int,
        weight: float,
    ) -> None:
        super().__init__()
        self.codebook_weight, self.perceptual, self.weight = codebook_weight, perceptual, weight
        self.opponent: HingeOpponent = HingeOpponent(discriminator=discriminator, start_images=start_images)

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
        adversarial = balance = torch.zeros_like(loss.detach())
        if self.opponent.playing(positions):
            adversarial = self.opponent.fooled(made.images)
            if torch.is_grad_enabled():
                balance = self.weight * adaptive_weight(parts["reconstruction"], adversarial, last_layer)
            loss = loss + balance * adversarial
        return {
            "loss": loss,
            **parts,
            "codebook_loss": made.codebook_loss,
            "adversarial": adversarial,
            "adaptive_weight": balance,
        }


def adaptive_weight(
    reconstruction: Float[Tensor, ""], adversarial: Float[Tensor, ""], last_layer: nn.Parameter
) -> Float[Tensor, ""]:
    """Return `|d reconstruction| / (|d adversarial| + 1e-4)` at the last layer, in [0, 1e4], without a graph.

    Gradients are averaged over ranks first, so that every replica has the weight of the global batch.
    """
    of_reconstruction, of_adversarial = (
        ranks.mean(torch.autograd.grad(loss, last_layer, retain_graph=True)[0]).norm()
        for loss in (reconstruction, adversarial)
    )
    return (of_reconstruction / (of_adversarial + EPSILON)).clamp(0.0, LARGEST_WEIGHT).detach()
