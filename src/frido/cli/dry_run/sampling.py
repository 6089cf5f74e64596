"""What drawing images costs."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from frido.cli.build import build
from frido.cli.second_stage import PARTS
from frido.contracts.batch import Batch
from frido.contracts.context import Context
from frido.contracts.denoiser import Condition, Denoiser
from frido.contracts.pyramid import Pyramid
from frido.engine.counting.cost import CallCost, of_call
from frido.engine.counting.ledger import Ledger


def cost(
    task: Any, autoencoder: Any, batch: Batch, config: Mapping[str, Any], *, device: torch.device, together: int
) -> CallCost:
    """Return what it costs to draw images by the sampler and guidance of a configuration: operations of one of them,
    and memory of several that are drawn at once.

    The sampler runs all its steps, on one image and on two; the network computes once in each scale, and counts for
    every time that it is asked.

    Args:
        task: The second stage.
        autoencoder: The first.
        batch: Two images or more, without the images.
        config: Resolved.
        device: Where it is computed.
        together: Images that are drawn at once.
    """
    diffusion, resolution = config["diffusion"], config["size"]["resolution"]
    scales = list(zip(autoencoder.channels, autoencoder.factors, strict=True))

    def drawn(some: Batch) -> CallCost:
        def call(copies: list[Any], ledger: Ledger) -> None:
            drawing, decoder = copies
            drawing.denoiser = _Once(drawing.denoiser, ledger)
            for part in PARTS:
                setattr(drawing, part, getattr(task, part))  # with values: guidance may depend on the noise level
            pyramid = drawing.generate(
                some.annotations,
                sampler=build(diffusion["sampler"]),
                guidance=build(diffusion["guidance"]),
                shapes=[(channels, resolution // factor, resolution // factor) for channels, factor in scales],
                seed=0,
                keys=some.positions,
                view=some.view,
            )
            decoder.eval().decode(pyramid)

        return of_call([task, autoencoder], call, precision=config["hardware"]["precision"], device=device)

    one, two = drawn(batch.rows(0, 1)), drawn(batch.rows(0, 2))
    return CallCost(one.operations, one.peak + (together - 1) * (two.peak - one.peak))


class _Once(Denoiser):
    """Asks a denoiser for the first prediction of each scale and batch size; counts the same for all others."""

    def __init__(self, denoiser: Denoiser, ledger: Ledger) -> None:
        super().__init__()
        self.inner, self.channels, self.ledger = denoiser, denoiser.channels, ledger
        self.known: dict[tuple[int, int], int] = {}

    def condition(self, *, scale: int, coarse: Pyramid, context: Context, level: Tensor | None = None) -> Condition:
        return self.inner.condition(scale=scale, coarse=coarse, context=context, level=level)

    def forward(self, noisy: Tensor, time: Tensor, condition: Condition) -> Tensor:
        kind = condition.scale, len(noisy)
        if kind in self.known:
            self.ledger.forward += self.known[kind]
        else:
            before = self.ledger.forward
            self.inner(noisy, time, condition)
            self.known[kind] = self.ledger.forward - before
        return torch.zeros_like(noisy)
