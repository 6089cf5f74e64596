"""Functions to run in two processes that form a group."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from frido.autoencoders.losses.adversarial import adaptive_weight
from frido.autoencoders.losses.hinge_opponent import HingeOpponent
from frido.autoencoders.quantizers.ema_vq import EMAVectorQuantizer


def run(folder: Path, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Return what `work(rank, *arguments)` returned on each of two ranks; `work` is a function of this file."""
    torch.save(arguments, folder / "arguments.pt")
    children = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(folder), work.__name__]) for rank in range(2)
    ]
    assert [child.wait(timeout=120) for child in children] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


def half(rank: int, rows: torch.Tensor) -> torch.Tensor:
    return rows.chunk(2)[rank]


def learn(rank: int, start: dict, batches: list[torch.Tensor], settings: dict) -> dict:
    num_codes, channels = start["codebook"].shape
    made = EMAVectorQuantizer(channels=channels, num_codes=num_codes, commitment=0.25, **settings).train()
    made.load_state_dict(start)
    for batch in batches:
        made(half(rank, batch))
    return made.state_dict()


def balance(rank: int, rows: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, list[bool]]:
    """Return the adaptive weight of two toy losses, and whether an opponent with start 4 plays at three moments."""
    layer = torch.nn.Parameter(weight)
    made = half(rank, rows) @ layer
    opponent = HingeOpponent(discriminator=torch.nn.Identity(), start_images=4)
    playing = [opponent.playing(half(rank, torch.arange(4) + start)) for start in (0, 2, 4)]
    return adaptive_weight(made.square().mean(), made.mean(), layer), playing


if __name__ == "__main__":
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'group'}", rank=rank, world_size=2)
    torch.save(globals()[sys.argv[3]](rank, *torch.load(folder / "arguments.pt")), folder / f"{rank}.pt")
    dist.destroy_process_group()
