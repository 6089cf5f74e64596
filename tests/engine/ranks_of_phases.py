"""One step of real phases, alone and then as one of two processes; a program that test_ranks_of_phases.py starts."""

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from toys import BATCH, ONE_STEP, Generating, ToyTask, trainer

from frido.autoencoders.losses.act_norm import ActNorm
from frido.cli.build import build
from frido.contracts import rng
from frido.contracts.batch import Annotations, Batch
from frido.contracts.context import ContextWidths
from frido.contracts.scene import Vocabulary
from frido.engine import distributed

SIDE = 32
VOCABULARY = Vocabulary(("circle", "square"), ("red", "blue"), ("left of", "above"))


def step(config: dict[str, Any], *, stage: str, micro_batch: int | None, directory: Path) -> dict[str, Any]:
    """Take one step in float64; return the gradients and buffers that it leaves in the task."""
    torch.manual_seed(0)
    autoencoder = build(config["autoencoder"])
    task = (first_stage if stage == "autoencoder" else second_stage)(config, autoencoder).double()
    scales = zip(autoencoder.channels, autoencoder.factors, strict=True)
    stream = Samples([(channels, SIDE // factor, SIDE // factor) for channels, factor in scales])
    plan = ONE_STEP | {"micro_batch": micro_batch, "log_every_images": BATCH}
    trainer(directory, task=task, stream=stream, **plan).run()
    return {
        "gradients": {name: one.grad for name, one in task.named_parameters() if one.grad is not None},
        "buffers": dict(task.named_buffers()),
    }


def first_stage(config: dict[str, Any], autoencoder: nn.Module) -> nn.Module:
    task = build(config["first_stage"], autoencoder=autoencoder)
    for norm in task.modules():
        if isinstance(norm, ActNorm):  # as after its first batch, which it measures in float32
            nn.init.normal_(norm.loc)
            nn.init.uniform_(norm.scale, 0.5, 2.0)
            norm.initialized.fill_(1)
    return task


def second_stage(config: dict[str, Any], autoencoder: nn.Module) -> nn.Module:
    conditioner = build(config["conditioning"], vocabulary=VOCABULARY)
    finest = {"latent_channels": autoencoder.channels[-1], "factor": autoencoder.factors[-1]}
    view = build(config["view"], vocabulary=VOCABULARY, **finest)
    parts = ("schedule", "parameterization", "teacher_forcing", "layout")
    diffusion = {part: build(config["diffusion"][part]) for part in parts}
    denoiser = build(
        config["denoiser"],
        channels=autoencoder.channels,
        context=ContextWidths(tokens=conditioner.width, map=view.channels, pooled=conditioner.pooled_width),
        tells_level=diffusion["teacher_forcing"].tells_level,
    )
    for parameter in denoiser.parameters():  # wake what starts at zero
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=1 / math.sqrt(parameter[0].numel()))
    return build(config["task"], denoiser=denoiser, conditioner=conditioner, view=view, **diffusion)


def normal(positions: Tensor, purpose: str, shape: tuple[int, ...]) -> Tensor:
    return rng.normal(positions, seed=0, purpose=purpose, shape=shape).double()


class Samples:
    """Images, scenes and latents of these `shapes`, all functions of position."""

    def __init__(self, shapes: list[tuple[int, int, int]]) -> None:
        self.shapes, self.share = shapes, BATCH // distributed.world_size()

    def at(self, images_seen: int) -> Batch:
        start = images_seen + distributed.rank() * self.share
        positions = torch.arange(start, start + self.share)

        def words(purpose: str, *shape: int) -> Tensor:
            return (normal(positions, purpose, shape) > 0).long()

        return Batch(
            images=normal(positions, "image", (3, SIDE, SIDE)).clamp(-1, 1),
            annotations=Annotations(
                categories=words("category", 3),
                attributes=words("attribute", 3, 1),
                boxes_xyxy=normal(positions, "box", (3, 4)).sigmoid(),
                relationships=words("relationship", 2, 3),
                captions=torch.zeros(self.share, 0, dtype=torch.uint8),
                crops_xyxy=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(self.share, 4),
                mirrored=torch.zeros(self.share, dtype=torch.bool),
            ),
            ids=tuple(str(position) for position in positions.tolist()),
            positions=positions,
            valid=torch.ones(self.share, dtype=torch.bool),
            pyramid=tuple(normal(positions, f"latent {scale}", shape) for scale, shape in enumerate(self.shapes)),
        )


class DriftingBuffer(Generating):
    """Its ranks remember different means by the time of the checkpoint; their parameters agree."""

    def check(self, images_seen: int) -> None:
        self.generator.seen.add_(distributed.rank())


def told_of_a_drifting_buffer(directory: Path) -> str:
    task = ToyTask()
    try:
        trainer(directory, task=task, phases=[DriftingBuffer(task)], **ONE_STEP).run()
    except RuntimeError as error:
        return str(error)
    return ""


def every(cases: dict[str, Any], directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = {name: step(**case, directory=directory / name) for name, case in cases.items()}
    return found | {"drifting": told_of_a_drifting_buffer(directory / "drifting")}


def main(root: Path, rank: str) -> None:
    torch.set_num_threads(1)
    cases = json.loads((root / "cases.json").read_text())
    alone = every(cases, root / f"alone {rank}")  # not yet in a group
    with distributed.process_group("cpu", stalled_after_minutes=5.0):
        together = every(cases, root / "together")
    torch.save({"alone": alone, "together": together}, root / f"{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.environ["RANK"])
