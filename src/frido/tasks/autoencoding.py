"""The first stage: images to latents and back."""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders.base import Autoencoder
from frido.autoencoders.losses.base import AutoencoderLoss, Opponent
from frido.contracts.batch import Batch
from frido.contracts.phase import Phase

Handover = dict[int, Tensor]
"""Reconstructions that one phase made and the next will use, by the first position of their batch."""


class Autoencoding(nn.Module):
    """An autoencoder and its loss, as one or two players.

    Args:
        autoencoder: What is trained, and the only thing that later stages see.
        loss: With an opponent, there is a second phase that trains it.
    """

    def __init__(self, *, autoencoder: Autoencoder, loss: AutoencoderLoss) -> None:
        super().__init__()
        self.autoencoder, self.loss = autoencoder, loss

    def phases(self) -> list[Phase]:
        """Return what to train: the autoencoder, then (if the loss has one) its opponent."""
        handover: Handover = {}
        phases: list[Phase] = [AutoencoderPhase(self.autoencoder, self.loss, handover)]
        if self.loss.opponent is not None:
            phases.append(DiscriminatorPhase(self.autoencoder, self.loss.opponent, handover))
        return phases


class AutoencoderPhase(Phase):
    """Trains encoder, codebooks and decoder. Logs what tells a healthy codebook from a collapsed one."""

    name = "autoencoder"

    def __init__(self, autoencoder: Autoencoder, loss: AutoencoderLoss, handover: Handover) -> None:
        super().__init__()
        self.autoencoder, self.handover = autoencoder, handover
        self.others = (loss,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.images is not None, "the first stage trains on images"
        (loss,) = self.others
        made = self.autoencoder(batch.images)
        losses = loss(made, batch.images, positions=batch.positions, last_layer=self.autoencoder.last_layer)
        if loss.opponent is not None and loss.opponent.playing(batch.positions):
            self.handover[int(batch.positions[0])] = made.images.detach()
        with torch.no_grad():
            losses["psnr"] = psnr(made.images, batch.images).mean()
            for scale, (codes, size) in enumerate(zip(made.codes, self.autoencoder.num_codes, strict=True)):
                losses[f"perplexity_{scale}"], losses[f"usage_{scale}"] = codebook_use(codes, num_codes=size)
        return losses

    def trained(self) -> Iterable[nn.Parameter]:
        return self.autoencoder.parameters()


class DiscriminatorPhase(Phase):
    """Trains the opponent on the reconstructions that the step of the autoencoder just made."""

    name = "discriminator"

    def __init__(self, autoencoder: Autoencoder, opponent: Opponent, handover: Handover) -> None:
        super().__init__()
        self.opponent, self.handover = opponent, handover
        self.others = (autoencoder,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.images is not None, "the first stage trains on images"
        if not self.opponent.playing(batch.positions):
            return self.opponent.idle()
        made = self.handover.pop(int(batch.positions[0]), None)
        if made is None:  # this phase runs alone
            with torch.no_grad():
                made = self.others[0].decode(self.others[0].encode(batch.images))
        return self.opponent(made, batch.images)

    def trained(self) -> Iterable[nn.Parameter]:
        return self.opponent.parameters()


def psnr(
    made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch"]:
    """Return the peak signal-to-noise ratio of each image in dB; both in [-1, 1], `made` clipped to it."""
    error = ((made.clamp(-1, 1) - images) / 2).square().mean(dim=(1, 2, 3))
    return -10 * error.clamp_min(1e-10).log10()


def codebook_use(
    codes: Int[Tensor, "batch height width"], *, num_codes: int
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the perplexity of the codes in a batch (1 for one code, `num_codes` for equal use), and the used share."""
    share = torch.bincount(codes.flatten(), minlength=num_codes).double() / codes.numel()
    entropy = -(share * share.clamp_min(1e-12).log()).sum()
    return entropy.exp(), (share > 0).double().mean()
