"""Functions to run in two processes that form a group."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from frido.autoencoders import ranks
from frido.autoencoders.losses.act_norm import ActNorm
from frido.autoencoders.losses.adversarial import adaptive_weight
from frido.autoencoders.losses.discriminator_opponent import DiscriminatorOpponent
from frido.autoencoders.losses.hinge import Hinge
from frido.autoencoders.quantizers.base import Quantizer
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


def train(rank: int | None, quantizers: dict[str, Quantizer], batches: list[torch.Tensor]) -> dict[str, dict]:
    """Let all `quantizers` learn from this rank's halves of the batches, or the whole ones; return their states."""
    for made in quantizers.values():
        parameters = list(made.train().parameters())
        for step, batch in enumerate(batches):
            torch.manual_seed(2 * step + (rank or 0))
            quantised = made(batch if rank is None else half(rank, batch))
            if parameters:
                descend(parameters, quantised.loss + quantised.latents.square().mean())
    return {name: made.state_dict() for name, made in quantizers.items()}


def descend(parameters: list[torch.nn.Parameter], loss: torch.Tensor) -> None:
    """Take one step down the gradient, averaged over ranks as DDP does."""
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.data -= 0.5 * ranks.mean(gradient)


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
    opponent = DiscriminatorOpponent(discriminator=torch.nn.Identity(), objective=Hinge(), start_images=4)
    playing = [opponent.playing(half(rank, torch.arange(4) + start)) for start in (0, 2, 4)]
    return adaptive_weight(made.square().mean(), made.mean(), layer, largest=1e4), playing


def standardise(rank: int, features: torch.Tensor) -> dict:
    """Return what an ActNorm has made of this rank's half of its first batch."""
    norm = ActNorm(num_features=features.shape[1]).train()
    norm(half(rank, features))
    return norm.state_dict()


if __name__ == "__main__":
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'group'}", rank=rank, world_size=2)
    arguments = torch.load(folder / "arguments.pt", weights_only=False)
    torch.save(globals()[sys.argv[3]](rank, *arguments), folder / f"{rank}.pt")
    dist.destroy_process_group()
