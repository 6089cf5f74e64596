"""A task of two phases that has all that makes resuming hard: dropout, a buffer with a memory, a GAN, accumulation."""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from frido.contracts import rng
from frido.contracts.batch import Annotations, Batch
from frido.contracts.lost import Lost
from frido.contracts.phase import Phase
from frido.engine import distributed
from frido.engine.averages.half_life import HalfLife
from frido.engine.keep import Keep
from frido.engine.learning_rates.constant import Constant
from frido.engine.learning_rates.cosine import Cosine
from frido.engine.trainer import Trainer
from frido.engine.training import Training
from frido.tracking.jsonl import JsonlTracker

BATCH = 8
ONE_STEP = {
    "images": BATCH,
    "micro_batch": 2,
    "precision": "fp32",
    "clip_norm": None,
    "optimizer": partial(torch.optim.SGD, lr=0.1),
    "schedule": Constant(warmup_images=0),
}
"""One step of plain gradient descent."""

SHRINKING = {
    "precision": "fp32",
    "schedule": Constant(warmup_images=0),  # and not a cosine: its first part has a budget of its own
    "checkpoint_every_images": 5 * BATCH,
}
"""A training that other numbers of ranks can go on with."""


class ToyTask(nn.Module):
    """A denoising generator with a running mean, and a critic; the initial weights are always the same."""

    def __init__(self, *, dropout: float = 0.2) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3, padding=1), nn.SiLU(), nn.Dropout(dropout), nn.Conv2d(4, 3, 3, padding=1)]
        self.generator = nn.Sequential(*layers)
        self.critic = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.SiLU(), nn.Flatten(), nn.LazyLinear(1))
        self.critic(torch.zeros(1, 3, 8, 8))
        self.generator.register_buffer("seen", torch.zeros(()))

    def phases(self) -> list[Phase]:
        return [Generating(self), Criticising(self)]


class Generating(Phase):
    name = "generator"

    def __init__(self, task: ToyTask) -> None:
        super().__init__()
        self.generator = task.generator
        self.hidden = (task.critic,)  # moves and is trained elsewhere

    def trained(self) -> Iterable[nn.Parameter]:
        return self.generator.parameters()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        generated = self.generator(noised(batch))
        if self.training:
            with torch.no_grad():
                self.generator.seen.mul_(0.9).add_(0.1 * batch.images.mean())
        reconstruction = (generated - batch.images).square().mean()
        return {
            "loss": reconstruction - 0.1 * self.hidden[0](generated).mean(),
            "reconstruction": reconstruction,
        }


class Criticising(Phase):
    name = "critic"

    def __init__(self, task: ToyTask) -> None:
        super().__init__()
        self.critic = task.critic
        self.hidden = (task.generator,)

    def trained(self) -> Iterable[nn.Parameter]:
        return self.critic.parameters()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            generated = self.hidden[0](noised(batch))
        real, fake = self.critic(batch.images), self.critic(generated)
        return {"loss": (1 - real).relu().mean() + (1 + fake).relu().mean()}


def noised(batch: Batch) -> Tensor:
    noise = rng.normal(batch.positions, seed=1, purpose="noise", shape=(3, 8, 8))
    return batch.images + 0.5 * noise.to(batch.images.dtype)


class ToyStream:
    """Pictures by position; `at_start` is called with every position that is asked for.

    `lost` holds, by position, samples that could not be read on the rank whose part the position is. `ids` is what was
    asked for so far.
    """

    def __init__(
        self,
        *,
        batch: int = BATCH,
        dtype: torch.dtype = torch.float32,
        at_start: Callable[[int], None] = lambda images_seen: None,
        lost: Mapping[int, Lost] | None = None,
    ) -> None:
        self.share, self.dtype, self.at_start = batch // distributed.world_size(), dtype, at_start
        self.lost = lost or {}
        self.ids: list[str] = []

    def at(self, images_seen: int) -> Batch:
        self.at_start(images_seen)
        start = images_seen + distributed.rank() * self.share
        positions = torch.arange(start, start + self.share)
        self.ids += [f"toy-{position}" for position in positions.tolist()]
        return Batch(
            images=rng.normal(positions, seed=0, purpose="image", shape=(3, 8, 8)).to(self.dtype),
            annotations=Annotations(
                categories=torch.zeros(self.share, 1, dtype=torch.long),
                attributes=torch.zeros(self.share, 1, 1, dtype=torch.long),
                boxes_xyxy=torch.zeros(self.share, 1, 4),
                relationships=torch.zeros(self.share, 1, 3, dtype=torch.long),
                captions=torch.zeros(self.share, 0, dtype=torch.uint8),
                crops_xyxy=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(self.share, 4),
                mirrored=torch.zeros(self.share, dtype=torch.bool),
            ),
            ids=tuple(f"toy-{position}" for position in positions.tolist()),
            positions=positions,
            valid=torch.ones(self.share, dtype=torch.bool),
            lost=tuple(self.lost[position] for position in positions.tolist() if position in self.lost),
        )


def newest(count: int) -> Keep:
    return Keep(last=count, every_images=None, best=None, highest=False)


def settings(**changes: object) -> Training:
    """Return the settings that the resume tests use, with `changes`."""
    values = {
        "images": 12 * BATCH,
        "batch": BATCH,
        "micro_batch": 4,
        "optimizer": partial(torch.optim.AdamW, lr=1e-2),
        "schedule": Cosine(warmup_images=2 * BATCH, final=0.0),
        "averages": {"half_life": HalfLife(images=4 * BATCH, ramp=0.5)},
        "drawn_with": "half_life",
        "snapshot_every_images": None,
        "precision": "bf16",
        "clip_norm": 1.0,
        "init_from": None,
        "init_parts": ["*"],
        "frozen": [],
        "seed": 3,
        "log_every_images": 3 * BATCH,
        "checkpoint_every_images": 4 * BATCH,
        "picture_every_images": 2 * BATCH,
        "keep": newest(3),
        "max_skipped": 0,
    }
    return Training(**(values | changes))


def trainer(
    directory: Path,
    *,
    stream: ToyStream | None = None,
    during: Callable[[int, nn.Module], dict[str, float]] | None = None,
    task: ToyTask | None = None,
    phases: list[Phase] | None = None,
    facts: dict[str, object] | None = None,
    max_loss: int = 0,
    profile_steps: int = 0,
    **changes: object,
) -> Trainer:
    """Return a trainer of a toy task."""
    task = task or ToyTask()
    return Trainer(
        directory=directory,
        phases=phases or task.phases(),
        model=task,
        stream=stream or ToyStream(),
        training=settings(**changes),
        tracker=JsonlTracker(directory=directory),
        device=torch.device("cpu"),
        max_loss=max_loss,
        profile_steps=profile_steps,
        during=during,
        facts=facts,
    )


def main(directory: str, pause_at: int) -> None:
    """Train; at `pause_at` images say so and wait for a signal. Run as a program by the tests of signals."""
    import signal
    import time

    def pause(images_seen: int) -> None:
        if images_seen == pause_at:
            noting = signal.getsignal(signal.SIGTERM).__self__  # the Signals of the training
            print("ready", flush=True)
            while not noting.code:  # not signal.pause(): it may have come already
                time.sleep(0.01)

    torch.set_num_threads(1)
    trainer(Path(directory), stream=ToyStream(at_start=pause)).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
