"""What a training is, in numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from frido.contracts.errors import FridoError
from frido.engine.averages.base import Average
from frido.engine.keep import Keep
from frido.engine.learning_rates.base import LearningRate
from frido.engine.precision import PRECISIONS

RAW = "raw"
"""Names the weights as they are, beside the names of averages."""


class Training:
    """The settings of one training, checked before anything heavy happens. Everything is counted in images seen.

    Args:
        images: Budget; a multiple of `batch`.
        batch: Images per step, over all ranks and micro-batches.
        micro_batch: Images per forward pass of one rank; null takes a rank's whole share at once.
        optimizer: Takes a list of parameters; each phase gets one of its own.
        schedule: Factor on the optimizer's learning rate over the training.
        averages: Of the weights, by name.
        drawn_with: The name of the average that pictures and samples are drawn with; "raw" takes the weights.
        snapshot_every_images: How often to store the averages from which others can be made (`averages.power`);
            null never.
        precision: "fp32"; "bf16" or "fp16" for autocast, the latter with a scaled loss.
        clip_norm: Largest norm of a phase's gradient; null never clips.
        init_from: A run directory, a checkpoint of one or a `.safetensors` file to take initial weights from; null
            takes none.
        init_parts: Patterns of the names to take, such as `denoiser.*`.
        frozen: Patterns of the names of parameters that stay as they are.
        seed: Of what draws from torch's own generator while training (network dropout).
        log_every_images: Length of the window whose means are logged.
        checkpoint_every_images: Also saved: at the end, and when asked to stop.
        picture_every_images: How often to look at samples; null never.
        keep: Which checkpoints stay.
        max_skipped: Steps in a row that a phase may leave out because its loss or gradient was not finite; 0 stops
            at the first.
    """

    def __init__(
        self,
        *,
        images: int,
        batch: int,
        micro_batch: int | None,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: LearningRate,
        averages: Mapping[str, Average],
        drawn_with: str,
        snapshot_every_images: int | None,
        precision: str,
        clip_norm: float | None,
        init_from: str | None,
        init_parts: Sequence[str],
        frozen: Sequence[str],
        seed: int,
        log_every_images: int,
        checkpoint_every_images: int,
        picture_every_images: int | None,
        keep: Keep,
        max_skipped: int,
    ) -> None:
        self.images, self.batch, self.micro_batch = images, batch, micro_batch
        self.optimizer, self.schedule = optimizer, schedule
        self.averages, self.drawn_with, self.snapshot_every_images = averages, drawn_with, snapshot_every_images
        self.precision, self.clip_norm, self.seed = precision, clip_norm, seed
        self.init_from, self.init_parts, self.frozen = init_from, init_parts, frozen
        self.log_every_images, self.checkpoint_every_images = log_every_images, checkpoint_every_images
        self.picture_every_images, self.keep, self.max_skipped = picture_every_images, keep, max_skipped
        self._check()

    def split(self, world_size: int) -> tuple[int, int]:
        """Return how many images a rank sees in a step, and in one forward pass.

        Raises:
            FridoError: The batch cannot be split that way.
        """
        if self.batch % world_size:
            raise FridoError(
                f"batch={self.batch} of the training",
                got=f"{world_size} ranks to split it over",
                wanted=f"a multiple of {world_size}",
                do=f"Use a batch of {-(-self.batch // world_size) * world_size}, or change hardware.devices.",
            )
        share = self.batch // world_size
        micro = self.micro_batch or share
        if share % micro:
            fitting = max(size for size in range(1, min(micro, share) + 1) if share % size == 0)
            raise FridoError(
                f"micro_batch={micro} of the training",
                got=f"it does not divide the {share} images of a rank (batch={self.batch}, {world_size} ranks)",
                wanted=f"a divisor of {share}",
                do=f"Use a micro_batch of {fitting}, or null for the whole share at once.",
            )
        return share, micro

    def _check(self) -> None:
        positive: dict[str, Any] = {
            "images": self.images,
            "batch": self.batch,
            "log_every_images": self.log_every_images,
            "checkpoint_every_images": self.checkpoint_every_images,
        }
        optional: dict[str, Any] = {
            "micro_batch": self.micro_batch,
            "clip_norm": self.clip_norm,
            "picture_every_images": self.picture_every_images,
            "snapshot_every_images": self.snapshot_every_images,
        }
        for name, value in (positive | {k: v for k, v in optional.items() if v is not None}).items():
            if not value > 0:
                raise FridoError(
                    f"{name}={value} of the training",
                    got=value,
                    wanted="more than 0" + (", or null" if name in optional else ""),
                    do=f"Set {name} to a positive number.",
                )
        if self.max_skipped < 0:
            raise FridoError(
                "max_skipped of the training", got=self.max_skipped, wanted="0 or more", do="max_skipped=0"
            )
        if self.drawn_with not in (*self.averages, RAW):
            raise FridoError(
                f"drawn_with={self.drawn_with} of the training",
                got=repr(self.drawn_with),
                wanted=f"one of the averages ({', '.join(self.averages) or 'none'}), or {RAW}",
                do=f"Set drawn_with to {next(iter(self.averages), RAW)}.",
            )
        if self.images % self.batch:
            near = max(1, round(self.images / self.batch)) * self.batch
            raise FridoError(
                f"images={self.images} of the training",
                got=f"no multiple of batch={self.batch}",
                wanted="a whole number of steps",
                do=f"Use a budget of {near} images.",
            )
        if self.precision not in PRECISIONS:
            raise FridoError(
                f"precision={self.precision} of the training",
                got=repr(self.precision),
                wanted=" or ".join(PRECISIONS),
                do="Set hardware.precision to one of these.",
            )
