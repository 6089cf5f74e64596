"""Reconstruction with a discriminator, balanced by gradients (Esser et al., 2021, equation 7)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders import ranks
from frido.autoencoders.base import Reconstruction
from frido.autoencoders.losses.auxiliary import AuxiliaryReconstruction
from frido.autoencoders.losses.base import AutoencoderLoss, Objective, Perceptual, PixelTerm
from frido.autoencoders.losses.discriminator_opponent import DiscriminatorOpponent
from frido.autoencoders.losses.reconstruction import distances
from frido.contracts.errors import FridoError

EPSILON = 1e-4


class AdversarialLoss(AutoencoderLoss):
    """What was lost, the latent loss, and from `start_images` on a term for fooling a discriminator.

    Args:
        pixel: Error of the pixels.
        perceptual: Brings its own weight; null for none.
        auxiliary: Error of each scale alone, with its own weight; null for none.
        latent_weight: Of the codebooks' losses, or of the KL divergence.
        discriminator: Images to logits, large for real ones.
        objective: Of the discriminator.
        start_images: Images seen before the discriminator trains, and is felt.
        weight: Of the adversarial term, on top of the adaptive one.
        largest_weight: The adaptive weight is at most this.

    Raises:
        FridoError: The decoder's last layer does not train, so there is no gradient to balance by.
    """

    def __init__(
        self,
        *,
        pixel: PixelTerm,
        perceptual: Perceptual | None,
        auxiliary: AuxiliaryReconstruction | None,
        latent_weight: float,
        discriminator: nn.Module,
        objective: Objective,
        start_images: int,
        weight: float,
        largest_weight: float,
    ) -> None:
        super().__init__()
        self.pixel, self.perceptual, self.auxiliary = pixel, perceptual, auxiliary
        self.latent_weight, self.weight, self.largest_weight = latent_weight, weight, largest_weight
        self.opponent: DiscriminatorOpponent = DiscriminatorOpponent(
            discriminator=discriminator, objective=objective, start_images=start_images
        )

    def forward(
        self,
        made: Reconstruction,
        images: Float[Tensor, "batch 3 height width"],
        *,
        positions: Int[Tensor, "batch"],
        last_layer: nn.Parameter,
    ) -> dict[str, Tensor]:
        if torch.is_grad_enabled() and not last_layer.requires_grad:
            raise FridoError(
                "frozen of the training",
                got="the decoder's last layer among it, where the weight of the adversarial term is measured",
                wanted="a last layer that trains, or no discriminator",
                do="leave the last layer out of frozen, or autoencoder/loss=reconstruction",
            )
        parts = distances(made, images, pixel=self.pixel, perceptual=self.perceptual, auxiliary=self.auxiliary)
        loss = parts["reconstruction"] + self.latent_weight * made.latent_loss
        adversarial = balance = torch.zeros_like(loss.detach())
        if self.opponent.playing(positions):
            adversarial = self.opponent.fooled(made.images)
            if torch.is_grad_enabled():
                ratio = adaptive_weight(parts["reconstruction"], adversarial, last_layer, largest=self.largest_weight)
                balance = self.weight * ratio
            loss = loss + balance * adversarial
        return {
            "loss": loss,
            **parts,
            "latent_loss": made.latent_loss,
            "adversarial": adversarial,
            "adaptive_weight": balance,
        }


def adaptive_weight(
    reconstruction: Float[Tensor, ""], adversarial: Float[Tensor, ""], last_layer: nn.Parameter, *, largest: float
) -> Float[Tensor, ""]:
    """Return `|d reconstruction| / (|d adversarial| + 1e-4)` at the last layer, at most `largest`, without a graph.

    Gradients are averaged over ranks first, so that every replica has the weight of the global batch.
    """
    of_reconstruction, of_adversarial = (
        ranks.mean(torch.autograd.grad(loss, last_layer, retain_graph=True)[0]).norm()
        for loss in (reconstruction, adversarial)
    )
    return (of_reconstruction / (of_adversarial + EPSILON)).clamp(max=largest).detach()
