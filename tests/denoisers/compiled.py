"""Compile the forward pass of U-Nets as one graph: `compiled.py GATE-TRUNK ...`; prints what was done."""

import sys

import options
import torch

from frido.contracts.context import Context, ContextWidths


def compile_one(gate: str, trunk: str) -> None:
    torch.compiler.reset()
    torch.manual_seed(0)
    node = options.node("denoiser", "pyunet") | {"multipliers": [1]}
    node |= {"gate": options.node("denoiser/gate", gate), "trunk": options.node("denoiser/trunk", trunk)}
    widths = ContextWidths(tokens=24, map=1, pooled=0)
    network = options.make(node)(channels=(3, 4), context=widths, tells_level=False).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    for scale, side in enumerate((4, 8)):
        context = Context(
            tokens=torch.randn(2, 5, 24), mask=torch.ones(2, 5, dtype=torch.bool), map=torch.randn(2, 1, 8, 8)
        )
        coarse = tuple(torch.randn(2, 3, side, side) for _ in range(scale))
        noisy, time = torch.randn(2, 3 + scale, side, side), torch.tensor([10.0, 500.0])
        with torch.no_grad():
            condition = network.condition(scale=scale, coarse=coarse, context=context)
            torch.testing.assert_close(compiled(noisy, time, condition), network(noisy, time, condition))


for pair in sys.argv[1:]:
    compile_one(*pair.split("-"))
    print(pair)
