"""U-Nets of Frido and LDM: outputs and gradients of the official code, scale by scale."""

import pytest
import torch
from torch.nn import functional as F

from frido.contracts.context import Context, ContextWidths
from frido.contracts.errors import FridoError
from frido.importers import pyunet
from frido.importers.translate import load, translate
from tests.denoisers import options
from tests.parity import golden

PAIRS = golden.cases(
    "frido.modules.diffusionmodules.pyunet.PyUNetModel",
    "PyUNetModel at configs/",
    "ldm.modules.diffusionmodules.openaimodel.UNetModel",
)


def make(pair):
    config = pair.config
    tokens = config.get("context_dim") if config.get("use_spatial_transformer") else None
    widths = ContextWidths(tokens=tokens or 0, map=pyunet.map_channels(config), pooled=config.get("num_classes") or 0)
    network = options.make(pyunet.node(config))(
        channels=pyunet.channels(config), context=widths, tells_level=False
    ).eval()
    load(network, pair.weights, pyunet.table(config), source=pair.name, changes=pyunet.changes(config))
    return network


def scales(pair):
    """Return (scale, name of the recorded output, of its cotangent, of the gradient norms)."""
    if not pyunet.is_pyramid(pair.config):
        return [(0, "out", "gradw", "grad_norms")]
    count = len(pyunet.channels(pair.config))
    return [(s, f"out_stage{s}", f"gradw_stage{s}", f"grad_norms_stage{s}") for s in range(count)]


def predict(network, pair, scale):
    """Frido's scales are stacked on one grid: a scale's noisy channels behind those of the coarser scales.

    LDM's conditions lie behind the noisy channels.
    """
    widths = network.context
    parts = pair["x"].split([*network.channels, *([widths.map] if widths.map else [])], dim=1)
    *coarse, noisy = parts[: scale + 1]
    context = Context(
        tokens=pair["context"] if widths.tokens else None,
        map=parts[-1] if widths.map else None,
        pooled=F.one_hot(pair["y"].long(), widths.pooled).float() if widths.pooled else None,
    )
    condition = network.condition(scale=scale, coarse=tuple(coarse), context=context)
    return network(noisy, pair["t"].float(), condition)


@pytest.mark.parametrize("path", PAIRS)
def test_outputs(path):
    pair = golden.load(path)
    network = make(pair)
    close = {"atol": 2e-4, "rtol": 0} if pair.name.startswith("true_") else {"atol": 1e-5, "rtol": 1e-4}
    for scale, out, _, _ in scales(pair):
        with torch.no_grad():
            torch.testing.assert_close(predict(network, pair, scale), pair[out], **close)


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
    names = translate(pair.weights, pyunet.table(pair.config), ours=network.state_dict()).renamed
    parameters = dict(network.named_parameters())
    for scale, _, gradw, grad_norms in scales(pair):
        network.zero_grad()
        (predict(network, pair, scale) * pair[gradw]).sum().backward()
        for name, expected in zip(pair.config["grad_norm_names"], pair[grad_norms].tolist(), strict=True):
            gradient = parameters[names[name]].grad
            norm = 0.0 if gradient is None else gradient.double().norm().item()
            if expected < 1e-4:
                assert norm < 1e-4, name
            else:
                assert norm == pytest.approx(expected, rel=1e-4, abs=1e-6), name


SMALL = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "attention_resolutions": [1],
    "num_res_blocks": 1,
    "channel_mult": [1],
    "num_head_channels": 16,
    "use_spatial_transformer": True,
    "context_dim": 8,
}


def test_rejects_weights_of_another_shape():
    """A configuration that differs from the weights must not load in part."""
    widths = ContextWidths(tokens=8, map=0, pooled=0)
    small = options.make(pyunet.node(SMALL))(channels=[4], context=widths, tells_level=False)
    with pytest.raises(FridoError, match="weights of nowhere"):
        load(small, {"out.2.weight": torch.zeros(2, 16, 3, 3)}, pyunet.table(SMALL), source="nowhere")


@pytest.mark.parametrize("odd", [{"dims": 3}, {"use_split_head": True, "use_mscond": True}, {"n_embed": 8}])
def test_rejects_what_it_cannot_build(odd):
    with pytest.raises(FridoError, match="official U-Net's settings"):
        pyunet.node(SMALL | odd)
