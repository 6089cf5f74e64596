"""One phase with its optimizer."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.phase import Phase
from frido.engine import distributed
from frido.engine.precision import autocast
from frido.engine.seeding import reseed
from frido.engine.training import Training

SHOWN_IDS = 16


class Optimization:
    """Changes the parameters of one phase by one step at a time.

    Args:
        phase: What to train; called through DDP when there are several ranks.
        others: Parameters that only other phases train. They get no gradient here: a generator's step need not
            differentiate the discriminator's weights.
        training: Settings.
        device: Of the parameters and batches.
    """

    def __init__(
        self, phase: Phase, *, others: Sequence[nn.Parameter], training: Training, device: torch.device
    ) -> None:
        self.phase, self.others, self.training, self.device = phase, others, training, device
        self.parameters = list(phase.trained())
        self.share, self.micro = training.split(distributed.world_size())
        self.optimizer = training.optimizer(self.parameters)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.module: nn.Module = phase
        if distributed.world_size() > 1:
            with self._alone():
                self.module = DistributedDataParallel(phase, device_ids=[device] if device.type == "cuda" else None)

    def step(self, batch: Batch, *, images_seen: int) -> dict[str, float]:
        """Take one step on this rank's share of the global batch; return what to log, equal on all ranks."""
        factor = self.training.schedule(images_seen, budget=self.training.images)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

        self.optimizer.zero_grad(set_to_none=True)
        with self._alone():
            parts = [self._accumulate(batch, start, images_seen) for start in range(0, self.share, self.micro)]
        norm = self._clip()

        names = list(parts[0])
        local = torch.stack([torch.stack([part[name] for name in names]) for part in parts])
        values = distributed.mean(torch.cat([local.mean(dim=0), norm.double()[None]])).tolist()
        if not all(map(math.isfinite, values)):
            self._refuse(batch, local, dict(zip([*names, "gradient norm"], values, strict=True)), images_seen)
        self.optimizer.step()
        logged = dict(zip([*names, "gradient_norm"], values, strict=True))
        logged["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        return {f"{self.phase.name}/{name}": value for name, value in logged.items()}

    def _accumulate(self, batch: Batch, start: int, images_seen: int) -> dict[str, Tensor]:
        """Add the gradient of one micro-batch; return its losses, detached, in float64."""
        position = images_seen + distributed.rank() * self.share + start
        reseed(seed=self.training.seed, phase=self.phase.name, position=position)
        last = start + self.micro == self.share
        # Ranks exchange gradients once a step, with the last micro-batch.
        waiting = (
            self.module.no_sync() if isinstance(self.module, DistributedDataParallel) and not last else nullcontext()
        )
        with waiting:
            with autocast(self.training.precision, self.device):
                losses = self.module(batch.rows(start, start + self.micro))
            (losses["loss"] * (self.micro / self.share)).backward()
        return {name: value.detach().double() for name, value in losses.items()}

    def _clip(self) -> Tensor:
        """Return the norm of the gradient before clipping it."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.training.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.training.clip_norm, norm)
        return norm

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let only this phase's parameters ask for a gradient."""
        for parameter in self.others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self.others:
                parameter.requires_grad_(True)

    def _refuse(self, batch: Batch, local: Tensor, values: dict[str, float], images_seen: int) -> NoReturn:
        """Stop before the step that would spoil the weights, naming the samples to look at."""
        bad = [index for index, finite in enumerate(local.isfinite().all(dim=1).tolist()) if not finite]
        ids = [name for index in bad for name in batch.ids[index * self.micro : (index + 1) * self.micro]] or batch.ids
        shown = ", ".join(ids[:SHOWN_IDS]) + (f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else "")
        wrong = ", ".join(f"{name}={value}" for name, value in values.items() if not math.isfinite(value))
        where = f" on rank {distributed.rank()}" if distributed.world_size() > 1 else ""
        raise FridoError(
            f"training of {self.phase.name} after {images_seen} images",
            got=f"{wrong} in the batch with ids {shown}{where}",
            wanted="finite losses and gradients",
            do="Nothing was saved since the last checkpoint, which is good. Lower the learning rate, set clip_norm, "
            "use hardware.precision=fp32, or look at these samples; the same command continues from the checkpoint.",
        )
