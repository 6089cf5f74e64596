"""PyU-Net: blocks computed again to save memory, and compiled."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.denoisers import options
from tests.denoisers.pyunets import awake, build, inputs, predict

GATES = options.names("denoiser/gate")
EVERY = [f"{gate}-shared" for gate in GATES]


@pytest.mark.parametrize("gate", GATES)
def test_checkpointing_is_exact(gate):
    """Blocks computed again in the backward pass give the same outputs and gradients, bit for bit, dropout too."""
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = awake(build(gate, checkpointing=checkpointing, dropout=0.3)).train()
        torch.manual_seed(1)
        _, _, context = inputs(1)
        predicted = predict(network, 1, context)
        predicted.square().sum().backward()
        gradients.append([predicted, *(p.grad for p in network.parameters() if p.grad is not None)])
    assert all(torch.equal(kept, again) for kept, again in zip(*gradients, strict=True))


def test_checkpointing_keeps_less():
    """What autograd keeps for the backward pass."""
    kept = []
    for checkpointing in (False, True):
        network = awake(build(checkpointing=checkpointing))
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t):
            predict(network, 1, inputs(1)[2])
        kept.append(sum(sizes))
    assert kept[1] < 0.6 * kept[0]


@pytest.mark.parametrize("pairs", [["spade-partly_shared"], pytest.param(EVERY, marks=pytest.mark.slow)], ids=len)
def test_compiles_as_one_graph(pairs):
    """In a process of its own: the type checks that tests run under are no part of a graph."""
    script = Path(__file__).with_name("compiled.py")
    done = subprocess.run([sys.executable, str(script), *pairs], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == pairs
