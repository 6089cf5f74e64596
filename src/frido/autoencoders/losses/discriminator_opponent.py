"""The discriminator as a player that joins late."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders import ranks
from frido.autoencoders.losses.base import Objective, Opponent


class DiscriminatorOpponent(Opponent):
    """Learns to tell images from reconstructions.

    Args:
        discriminator: Images to logits, large for real ones.
        objective: Of the discriminator.
        start_images: Images seen before it plays.
    """

    def __init__(self, *, discriminator: nn.Module, objective: Objective, start_images: int) -> None:
        super().__init__()
        self.discriminator, self.objective, self.start_images = discriminator, objective, start_images

    def playing(self, positions: Int[Tensor, "batch"]) -> bool:
        return ranks.everywhere(int(positions.min()) >= self.start_images, positions.device)

    def forward(
        self,
        made: Float[Tensor, "batch 3 height width"],
        images: Float[Tensor, "batch 3 height width"],
    ) -> dict[str, Tensor]:
        of_real, of_made = self.discriminator(images).float(), self.discriminator(made.detach()).float()
        loss = self.objective(of_real, of_made)
        return {"loss": loss, "logits_real": of_real.mean(), "logits_made": of_made.mean()}

    def idle(self) -> dict[str, Tensor]:
        # Connected to every parameter: DDP and the optimizer want a gradient from each phase in each step.
        zero = 0.0 * torch.stack([parameter.sum() for parameter in self.parameters()]).sum()
        return {"loss": zero, "logits_real": zero.detach(), "logits_made": zero.detach()}

    def fooled(self, made: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, ""]:
        """Return the generator's loss, the same for every objective: low where reconstructions look real."""
        return -self.discriminator(made).float().mean()
