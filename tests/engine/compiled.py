"""Compile small U-Nets block by block; print how many blocks and graphs. A program that test_compilation.py starts."""

import sys
from functools import partialmethod
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "denoisers"))

import options
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from frido.contracts.context import Context, ContextWidths
from frido.engine.compilation import COMPILED

WIDTHS = ContextWidths(tokens=24, map=0, pooled=0)


def network(depth: int) -> nn.Module:
    torch.manual_seed(0)
    node = options.node("denoiser", "pyunet") | {"multipliers": [1], "num_res_blocks": depth}
    made = options.make(node)(channels=(3, 4), context=WIDTHS, tells_level=False)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.05)
    return made


def results(made: nn.Module) -> list[torch.Tensor]:
    """Return predictions of both scales and the gradients."""
    torch.manual_seed(1)
    found = []
    for scale, side in enumerate((4, 8)):
        context = Context(tokens=torch.randn(2, 5, 24), mask=torch.ones(2, 5, dtype=torch.bool))
        condition = made.condition(scale=scale, coarse=(torch.randn(2, 3, side, side),) * scale, context=context)
        found.append(made(torch.randn(2, 3 + scale, side, side), torch.tensor([10.0, 500.0]), condition))
    sum(tensor.square().sum() for tensor in found).backward()
    return found + [parameter.grad for parameter in made.parameters() if parameter.grad is not None]


for depth in (1, 3):
    torch.compiler.reset()
    plain, made = network(depth), network(depth)
    counter = CompileCounterWithBackend("eager")
    with_inductor = nn.Module.compile
    nn.Module.compile = partialmethod(with_inductor, backend=counter)
    COMPILED["blocks"](made)
    nn.Module.compile = with_inductor
    assert list(made.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(results(made), results(plain))
    print(len(made.blocks()), counter.frame_count)
