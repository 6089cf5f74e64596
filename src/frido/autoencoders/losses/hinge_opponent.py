"""The discriminator as a player: hinge loss, a late start."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders import ranks
from frido.autoencoders.losses.base import Opponent


class HingeOpponent(Opponent):
    """Pushes logits of real images above 1 and of reconstructions below -1, from `start_images` on."""

    def __init__(self, *, discriminator: nn.Module, start_images: int) -> None:
        super().__init__()
        self.discriminator, self.start_images = discriminator, start_images

    def playing(self, positions: Int[Tensor, "batch"]) -> bool:
        return ranks.everywhere(int(positions.min()) >= self.start_images, positions.device)

    def forward(
        self,
        made: Float[Tensor, "batch 3 height width"],
        images: Float[Tensor, "batch 3 height width"],
    ) -> dict[str, Tensor]:
        real, fake = self.discriminator(images).float(), self.discriminator(made.detach()).float()
        return {"loss": hinge(real, fake), "logits_real": real.mean(), "logits_made": fake.mean()}

    def idle(self) -> dict[str, Tensor]:
        # Connected to every parameter: DDP and the optimizer want a gradient from each phase in each step.
        zero = 0.0 * torch.stack([parameter.sum() for parameter in self.parameters()]).sum()
        return {"loss": zero, "logits_real": zero.detach(), "logits_made": zero.detach()}

    def fooled(self, made: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, ""]:
        """Return the generator's loss: low where reconstructions look real."""
        return -self.discriminator(made).float().mean()


def hinge(real: Float[Tensor, "*patches"], fake: Float[Tensor, "*patches"]) -> Float[Tensor, ""]:
    """Return the discriminator's loss (Lim and Ye, 2017), halved as in VQGAN."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
