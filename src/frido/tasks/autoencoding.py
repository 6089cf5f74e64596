"""The first stage: images to latents and back."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from frido.autoencoders import ranks
from frido.autoencoders.base import Autoencoder
from frido.autoencoders.losses.base import AutoencoderLoss, Opponent
from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.phase import Phase
from frido.metrics.image_quality import psnr
from frido.tasks.codebook_use import CodebookUse, perplexity, usage

Handover = dict[int, Tensor]
"""Reconstructions that one phase made and the next will use, by the first position of their batch."""


class Autoencoding(nn.Module):
    """An autoencoder and its loss, as one or two players.

    Args:
        autoencoder: What is trained, and the only thing that later stages see.
        loss: With an opponent, there is a second phase that trains it.
        weights: A `.safetensors` file of the same autoencoder to start from; null starts from `autoencoder.seed`.
        least_perplexity: Of every codebook, in effective codes; training stops at the first checkpoint below it.
            1 never stops.
        judged_images: Over as many images at least: few of them, or a codebook that has just begun, say nothing.
        calibration_images: Training images that the scale factors are measured on, where `weights` bring none.

    Raises:
        FridoError: `weights` is no such file, or of another autoencoder.
    """

    def __init__(
        self,
        *,
        autoencoder: Autoencoder,
        loss: AutoencoderLoss,
        weights: str | None,
        least_perplexity: float,
        judged_images: int,
        calibration_images: int,
    ) -> None:
        super().__init__()
        if weights is not None:
            _start_from(autoencoder, Path(weights))
        self.autoencoder, self.loss, self.weights = autoencoder, loss, weights
        self.least_perplexity, self.judged_images = least_perplexity, judged_images
        self.calibration_images = calibration_images
        self.use = CodebookUse(autoencoder)

    def phases(self) -> list[Phase]:
        """Return what to train: the autoencoder, then (if the loss has one) its opponent."""
        handover: Handover = {}
        phases: list[Phase] = [AutoencoderPhase(self, handover)]
        if self.loss.opponent is not None:
            phases.append(DiscriminatorPhase(self.loss.opponent, handover))
        return phases


class AutoencoderPhase(Phase):
    """Trains encoder, codebooks and decoder. Logs what tells a healthy codebook from a collapsed one, and stops there.

    Perplexity and usage are those of the global (micro-)batch, averaged over the codebooks of a scale.
    """

    name = "autoencoder"

    def __init__(self, task: Autoencoding, handover: Handover) -> None:
        super().__init__()
        self.autoencoder, self.handover = task.autoencoder, handover
        self.others = (task.loss, task.use)
        self.least_perplexity, self.judged_images = task.least_perplexity, task.judged_images

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.images is not None, "the first stage trains on images"
        loss, use = self.others
        made = self.autoencoder(batch.images)
        losses = loss(made, batch.images, positions=batch.positions, last_layer=self.autoencoder.last_layer)
        if loss.opponent is not None and loss.opponent.playing(batch.positions):
            self.handover[int(batch.positions[0])] = made.images.detach()
        with torch.no_grad():
            losses["psnr"] = psnr(made.images, batch.images).mean()
            counts = {scale: ranks.total(own) for scale, own in use.count(made.codes).items()}
            for scale, counted in counts.items():
                losses[f"perplexity_{scale}"] = perplexity(counted).mean()
                losses[f"usage_{scale}"] = usage(counted).mean()
            if self.training:
                use.add(counts, images=len(batch.images) * ranks.world_size())
        return losses

    def trained(self) -> Iterable[nn.Parameter]:
        return self.autoencoder.parameters()

    def check(self, images_seen: int) -> None:
        """Refuse a collapsed codebook, then count anew."""
        _, use = self.others
        if int(use.images) >= self.judged_images:
            use.check(least=self.least_perplexity, images_seen=images_seen)
            use.reset()


class DiscriminatorPhase(Phase):
    """Trains the opponent on what the step of the autoencoder just made for it; idle where that was nothing."""

    name = "discriminator"

    def __init__(self, opponent: Opponent, handover: Handover) -> None:
        super().__init__()
        self.opponent, self.handover = opponent, handover

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.images is not None, "the first stage trains on images"
        made = self.handover.pop(int(batch.positions[0]), None)
        return self.opponent.idle() if made is None else self.opponent(made, batch.images)

    def trained(self) -> Iterable[nn.Parameter]:
        return self.opponent.parameters()


def _start_from(autoencoder: Autoencoder, path: Path) -> None:
    """Put the weights in file `path` into `autoencoder`: all names and shapes must agree."""
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise FridoError(
            "first_stage.weights",
            got=f"{path}: {'no such file' if isinstance(error, FileNotFoundError) else error}",
            wanted="the autoencoder.safetensors of a finished first stage, or what frido.convert wrote",
            do="first_stage.weights=null trains from nothing",
        ) from None
    own = autoencoder.state_dict()
    problems = [
        *(f"{name}, which it lacks" for name in own.keys() - weights.keys()),
        *(f"{name}, which it should not have" for name in weights.keys() - own.keys()),
        *(
            f"{name} of shape {tuple(weights[name].shape)} instead of {tuple(own[name].shape)}"
            for name in own.keys() & weights.keys()
            if weights[name].shape != own[name].shape
        ),
    ]
    if problems:
        more = f", and {len(problems) - 1} more such tensors" if len(problems) > 1 else ""
        raise FridoError(
            "first_stage.weights",
            got=f"{path} with {min(problems)}{more}",
            wanted="weights with the names and shapes of the configured autoencoder",
            do="give the settings of autoencoder that these weights were trained with, or other weights",
        )
    autoencoder.load_state_dict(weights)
