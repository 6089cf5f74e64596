"""PyU-Net: outputs and gradients of the official code, scale by scale."""

from functools import partial

import pytest
import torch

from frido.contracts.context import Context
from frido.denoisers.gates.none import NoGate
from frido.denoisers.gates.spade import SpadeGate
from frido.denoisers.pyunet import PyUNet
from frido.denoisers.trunks.per_scale import PerScaleTrunk
from frido.denoisers.trunks.shared import SharedTrunk
from frido.importers.pyunet import TABLE, settings, unsupported
from frido.importers.translate import load, translate
from tests.parity import golden

PAIRS = golden.cases("frido.modules.diffusionmodules.pyunet.PyUNetModel", "PyUNetModel at configs/")


def make(pair):
    pending = unsupported(pair.config)
    if pending:
        pytest.skip(f"pending: {', '.join(pending)}")
    gate = partial(SpadeGate, hidden=128) if pair.config.get("use_SPADE_norm") else NoGate
    trunk = PerScaleTrunk if pair.config.get("use_stage_expert") else SharedTrunk
    network = PyUNet(**settings(pair.config), gate=gate, trunk=trunk).eval()
    load(network, pair.weights, TABLE, source=pair.name)
    return network


def predict(network, pair, scale):
    """All scales are stacked on one grid there: a scale's noisy channels behind those of the coarser scales."""
    *coarse, noisy = pair["x"].split(network.channels, dim=1)[: scale + 1]
    condition = network.condition(scale=scale, coarse=tuple(coarse), context=Context(tokens=pair["context"]))
    return network(noisy, pair["t"].float(), condition)


@pytest.mark.parametrize("path", PAIRS)
def test_outputs(path):
    pair = golden.load(path)
    network = make(pair)
    close = {"atol": 2e-4, "rtol": 0} if pair.name.startswith("true_") else {"atol": 1e-5, "rtol": 1e-4}
    for scale in range(len(network.channels)):
        with torch.no_grad():
            torch.testing.assert_close(predict(network, pair, scale), pair[f"out_stage{scale}"], **close)


@pytest.mark.parametrize("path", PAIRS)
def test_gradients(path):
    """Norms of d((out * gradw).sum()) / d(parameter), by official name.

    With as many groups as channels, what is added before a norm has no effect, and such gradients are recorded
    rounding (1e-6); they are held to the same size only.
    """
    pair = golden.load(path)
    if "grad_norm_names" not in pair.config:
        pytest.skip("records no gradients")
    network = make(pair)
    names = translate(pair.weights, TABLE, ours=network.state_dict()).renamed
    parameters = dict(network.named_parameters())
    for scale in range(len(network.channels)):
        network.zero_grad()
        (predict(network, pair, scale) * pair[f"gradw_stage{scale}"]).sum().backward()
        recorded = pair[f"grad_norms_stage{scale}"]
        for name, expected in zip(pair.config["grad_norm_names"], recorded.tolist(), strict=True):
            gradient = parameters[names[name]].grad
            norm = 0.0 if gradient is None else gradient.double().norm().item()
            if expected < 1e-4:
                assert norm < 1e-4, name
            else:
                assert norm == pytest.approx(expected, rel=1e-4, abs=1e-6), name


def test_rejects_weights_of_another_shape():
    """A configuration that differs from the weights must not load in part."""
    from frido.contracts.errors import FridoError

    small = partial(
        PyUNet,
        channels=[2, 2],
        context_width=0,
        multipliers=[1],
        num_res_blocks=1,
        attention_factors=[],
        coarse_attention_factors=[],
        transformer_depth=1,
        head_channels=None,
        groups=8,
        dropout=0.0,
        gate=NoGate,
        trunk=SharedTrunk,
    )
    with pytest.raises(FridoError, match="weights of nowhere"):
        load(small(width=8), {"out.0.2.weight": torch.zeros(2, 16, 3, 3)}, TABLE, source="nowhere")
