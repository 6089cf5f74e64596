"""Gradients of a training step under DDP on two ranks: `two_ranks.py RANK FOLDER`, called by `gradients`."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "denoisers"))

import options
import torch
import torch.distributed as dist

from frido.contracts.batch import Annotations, Batch
from frido.contracts.context import ContextWidths
from frido.contracts.phase import Phase
from frido.contracts.scene import Vocabulary

SHAPES = [(3, 4, 4), (2, 8, 8)]
VOCABULARY = Vocabulary(("circle", "square"), ("red", "blue"), ("left of", "above"))


def phase(choices: dict[str, Any]) -> Phase:
    """Return the phase of a task with a small PyU-Net; `choices` are options by group, and settings of the denoiser."""
    torch.manual_seed(0)
    forcing = options.build("diffusion/teacher_forcing", choices.get("teacher_forcing", "constant_mix"))
    node = options.node("denoiser", "pyunet") | {"checkpointing": choices.get("checkpointing", False)}
    for group in ("gate", "trunk", "resampling"):
        if group in choices:
            node[group] = options.node(f"denoiser/{group}", choices[group])
    conditioner = options.build("conditioning", "scene_graph")(vocabulary=VOCABULARY)
    denoiser = options.make(node)(
        channels=[channels for channels, _, _ in SHAPES],
        context=ContextWidths(tokens=conditioner.width, map=0, pooled=0),
        tells_level=forcing.tells_level,
    )
    for parameter in denoiser.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=1 / math.sqrt(parameter[0].numel()))
    task = options.node("task", "pyramid_diffusion")
    if "scales" in choices:
        task["scales"] = options.node("task/scales", choices["scales"]) | {"quotas": [1, 1]}
    parts = {
        "schedule": options.build("diffusion/schedule", "sqrt_linear"),
        "parameterization": options.build("diffusion/parameterization", "v"),
        "layout": options.build("diffusion/layout", "native"),
        "view": options.build("view", "none")(vocabulary=VOCABULARY, latent_channels=2, factor=4),
    }
    made = options.make(task)(denoiser=denoiser, conditioner=conditioner, teacher_forcing=forcing, **parts)
    return made.phases()[0]


def batch(start: int, size: int) -> Batch:
    """Return samples that are functions of their position."""

    def of(position: int, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(position))

    def ids(*shape: int) -> torch.Tensor:
        return torch.stack([(of(p, *shape) > 0).long() for p in range(start, start + size)])

    captions = torch.zeros(size, 0, dtype=torch.uint8)
    shown = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(size, 4), torch.zeros(size, dtype=torch.bool)
    return Batch(
        images=None,
        annotations=Annotations(ids(3), ids(3, 1), ids(3, 4).float(), ids(2, 3), captions, *shown),
        ids=tuple(str(position) for position in range(start, start + size)),
        positions=torch.arange(start, start + size),
        valid=torch.ones(size, dtype=torch.bool),
        pyramid=tuple(torch.stack([of(p, *shape) for p in range(start, start + size)]) for shape in SHAPES),
    )


def whole(choices: dict[str, Any], *, size: int) -> dict[str, torch.Tensor]:
    """Return the gradients of one step of `size` samples, by name."""
    made = phase(choices)
    made(batch(0, size))["loss"].backward()
    return {name: parameter.grad for name, parameter in made.named_parameters() if parameter.grad is not None}


def gradients(folder: Path, cases: list[dict[str, Any]], *, size: int) -> list[list[dict[str, torch.Tensor]]]:
    """Return for each case the gradients of the same step shared by two ranks, of each rank."""
    torch.save((cases, size), folder / "cases.pt")
    children = [subprocess.Popen([sys.executable, __file__, str(rank), str(folder)]) for rank in range(2)]
    assert [child.wait(timeout=240) for child in children] == [0, 0]
    ranks = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]
    return [list(pair) for pair in zip(*ranks, strict=True)]


def work(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'group'}", rank=rank, world_size=2)
    cases, size = torch.load(folder / "cases.pt", weights_only=False)
    found = []
    for choices in cases:
        made = phase(choices)
        parallel = torch.nn.parallel.DistributedDataParallel(made)
        for _ in range(2):  # DDP complains of a parameter that the first step left out when the second begins
            made.zero_grad(set_to_none=True)
            parallel(batch(rank * size // 2, size // 2))["loss"].backward()
        found.append({name: p.grad for name, p in made.named_parameters() if p.grad is not None})
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    work(int(sys.argv[1]), Path(sys.argv[2]))
