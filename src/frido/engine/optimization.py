"""One phase with its optimizer."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from frido.contracts.batch import Batch
from frido.contracts.phase import Phase
from frido.engine import distributed
from frido.engine.not_finite import NotFinite
from frido.engine.precision import autocast, scaler
from frido.engine.seeding import reseed
from frido.engine.speed.stretches import stretch
from frido.engine.training import Training


class Optimization:
    """Changes the parameters of one phase by one step at a time.

    Args:
        phase: What to train; called through DDP when there are several ranks.
        parameters: That the phase's optimizer changes.
        others: Parameters that only other phases train. They get no gradient here: a generator's step need not
            differentiate the discriminator's weights.
        training: Settings.
        not_finite: Takes the steps that are left out.
        device: Of the parameters and batches.
    """

    def __init__(
        self,
        phase: Phase,
        *,
        parameters: Sequence[nn.Parameter],
        others: Sequence[nn.Parameter],
        training: Training,
        not_finite: NotFinite,
        device: torch.device,
    ) -> None:
        self.phase, self.parameters, self.others = phase, parameters, others
        self.training, self.not_finite, self.device = training, not_finite, device
        self.share, self.micro = training.split(distributed.world_size())
        self.optimizer = training.optimizer(self.parameters)
        self.scaler = scaler(training.precision, device)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.module: nn.Module = phase
        if distributed.world_size() > 1:
            with self._alone():
                self.module = DistributedDataParallel(
                    phase,
                    device_ids=[device] if device.type == "cuda" else None,
                    process_group=distributed.group_of_steps(),
                    # Else DDP orders its sums anew after the first step, also after that of a resumed training. With
                    # two ranks that changes no bit, and on GPUs no bits are promised.
                    find_unused_parameters=device.type == "cpu" and distributed.world_size() > 2,
                )

    def step(self, batch: Batch, *, images_seen: int) -> dict[str, float]:
        """Take one step on this rank's share of the global batch; return what to log, equal on all ranks.

        Raises:
            FridoError: A loss or gradient is not finite, more often in a row than may be.
        """
        factor = self.training.schedule(images_seen, budget=self.training.images)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

        model = self.not_finite.model
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        self.optimizer.zero_grad(set_to_none=True)
        with self._alone():
            parts = [self._accumulate(batch, start, images_seen) for start in range(0, self.share, self.micro)]
        with stretch("optimizer", phase=self.phase.name):
            norm = self._clip()
            names = list(parts[0])
            local = torch.stack([torch.stack([part[name] for name in names]) for part in parts])
            *losses, gradient_norm = distributed.mean(torch.cat([local.mean(dim=0), norm.double()[None]])).tolist()
            values = dict(zip(names, losses, strict=True))
            overflow = self.scaler.is_enabled() and self.scaler.get_scale() > 1 and not math.isfinite(gradient_norm)
            if not all(map(math.isfinite, [*losses, 0.0 if overflow else gradient_norm])):
                for name, buffer in model.named_buffers():
                    buffer.copy_(buffers[name])
                self._leave_out(batch, local, values | {"gradient_norm": gradient_norm}, images_seen)
                return {}
            self.scaler.step(self.optimizer)  # not where a gradient overflowed: it then lowers the scale
            self.scaler.update()
        self.not_finite.fine(self.phase.name)
        values["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        if not overflow:
            values["gradient_norm"] = gradient_norm
        if self.scaler.is_enabled():
            values["loss_scale"] = self.scaler.get_scale()
        return {f"{self.phase.name}/{name}": value for name, value in values.items()}

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
            with stretch("forward", phase=self.phase.name), autocast(self.training.precision, self.device):
                losses = self.module(batch.rows(start, start + self.micro))
            with stretch("backward", phase=self.phase.name):
                self.scaler.scale(losses["loss"] * (self.micro / self.share)).backward()
        return {name: value.detach().double() for name, value in losses.items()}

    def _clip(self) -> Tensor:
        """Return the norm of the gradient before clipping it."""
        self.scaler.unscale_(self.optimizer)
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

    def _leave_out(self, batch: Batch, local: Tensor, values: dict[str, float], images_seen: int) -> None:
        """Note the step that would spoil the weights, with the samples to look at."""
        bad = [index for index, finite in enumerate(local.isfinite().all(dim=1).tolist()) if not finite]
        ids = [name for index in bad for name in batch.ids[index * self.micro : (index + 1) * self.micro]]
        everywhere_finite = not any(distributed.from_all(bad))
        self.not_finite.note(
            self.phase.name,
            images_seen=images_seen,
            after=images_seen + self.training.batch,
            values=values,
            ids=batch.ids if everywhere_finite else ids,
        )
