"""Official U-Nets: every switch of their settings, held against an implementation that shares nothing with ours."""

import pytest
import torch
import torch.nn.functional as F

from frido.contracts.context import Context, ContextWidths
from frido.contracts.errors import FridoError
from frido.importers import pyunet
from frido.importers.translate import load
from tests.denoisers import options, test_published
from tests.importers.official_unet import OfficialUNet, shapes, stages

LDM = {
    "in_channels": 3, "out_channels": 3, "model_channels": 64, "channel_mult": [1, 2], "num_res_blocks": 1,
    "attention_resolutions": [2], "num_heads": 2,
}  # fmt: skip
CROSS = LDM | {"use_spatial_transformer": True, "context_dim": 24}
FRIDO = {
    "in_channels": 7, "out_channels": 7, "split_embed_dim_list": [3, 4], "use_split_head": True, "num_stage": 2,
    "model_channels": 64, "channel_mult": [1, 2], "num_res_blocks": 1, "attention_resolutions": [2],
    "num_head_channels": 32, "use_spatial_transformer": True, "context_dim": 24, "use_SPADE_norm": True,
}  # fmt: skip
PLAIN = FRIDO | {"use_spatial_transformer": False, "context_dim": None}
FOUR = {"split_embed_dim_list": [2, 1, 3, 2], "num_stage": 4, "in_channels": 8, "out_channels": 8}
SHIFT = {"use_scale_shift_norm": True, "resblock_updown": True}

VARIANTS = {
    "LDM, a map and classes": LDM | {"in_channels": 7, "num_classes": 5},
    "LDM, new order": LDM | {"use_new_attention_order": True, "num_heads": -1, "num_head_channels": 16},
    "LDM, churches": LDM | SHIFT | {"channel_mult": [1, 2, 2], "attention_resolutions": [1, 4]},
    "LDM, two layers": CROSS | {"transformer_depth": 2, "num_heads": -1, "num_head_channels": 16},
    "LDM, not legacy": CROSS | {"legacy": False, "num_heads": 4, "num_res_blocks": 2},
    "LDM, cross-attention and a map": CROSS
    | {"channel_mult": [1, 1, 2], "attention_resolutions": [4, 1], "in_channels": 4},
    "Frido": FRIDO,
    "Frido, true heads": FRIDO | {"legacy": False, "use_scale_shift_norm": True},
    "Frido, without SPADE": FRIDO | {"use_SPADE_norm": False},
    "Frido, experts": PLAIN | SHIFT | {"use_stage_expert": True},
    "Frido, new order": PLAIN | {"use_new_attention_order": True, "legacy": False},
    "Frido, four stages": FRIDO | FOUR | {"channel_mult": [1, 1, 1], "transformer_depth": 2},
    "Frido, four stages without SPADE": PLAIN | FOUR | {"use_SPADE_norm": False},
    "Frido, one stage": FRIDO | {"split_embed_dim_list": [3], "num_stage": 1, "in_channels": 3, "out_channels": 3},
}


def released(**own):
    common = {"in_channels": 3, "out_channels": 3, "num_res_blocks": 2, "attention_resolutions": [8, 4, 2]}
    return common | own


def crossing(width, **own):
    return released(use_spatial_transformer=True, transformer_depth=1, context_dim=width, **own)


LATENT = {"in_channels": 4, "out_channels": 4}
RELEASED = {
    # option: official settings, tensors
    "unet_faces": (released(model_channels=224, channel_mult=[1, 2, 3, 4], num_head_channels=32), 368),
    "unet_churches": (
        released(model_channels=192, channel_mult=[1, 2, 2, 4, 4], num_heads=8)
        | SHIFT
        | LATENT
        | {"attention_resolutions": [1, 2, 4, 8]},
        520,
    ),
    "unet_cin_f8": (
        crossing(512, model_channels=256, channel_mult=[1, 2, 4], num_head_channels=32)
        | LATENT
        | {"attention_resolutions": [4, 2, 1]},
        626,
    ),
    "unet_cin": (crossing(512, model_channels=192, channel_mult=[1, 2, 3, 5], num_heads=1), 688),
    "unet_text_1p4b": (
        crossing(1280, model_channels=320, channel_mult=[1, 2, 4, 4], num_heads=8, legacy=False)
        | LATENT
        | {"attention_resolutions": [4, 2, 1]},
        686,
    ),
    "unet_text": (crossing(640, model_channels=192, channel_mult=[1, 2, 3, 5], num_head_channels=32), 688),
    "unet_layout": (
        crossing(512, model_channels=128, channel_mult=[1, 2, 3, 4], num_head_channels=32) | {"transformer_depth": 3},
        1328,
    ),
    "unet_semantic": (
        released(model_channels=128, channel_mult=[1, 4, 8], num_heads=8)
        | {"in_channels": 6, "attention_resolutions": [32, 16, 8]},
        216,
    ),
    "unet_inpainting": (
        released(model_channels=256, channel_mult=[1, 2, 3, 4], num_heads=8)
        | {"in_channels": 7, "resblock_updown": True},
        416,
    ),
    "unet_super_resolution": (
        released(model_channels=160, channel_mult=[1, 2, 2, 4], num_head_channels=32)
        | {"in_channels": 6, "attention_resolutions": [16, 8]},
        306,
    ),
    "unet_retrieval": (
        crossing(768, model_channels=448, channel_mult=[1, 2, 3, 4], num_head_channels=32)
        | {"in_channels": 16, "out_channels": 16, "attention_resolutions": [4, 2, 1]},
        688,
    ),
    "pyunet_f16f8": (
        crossing(640, model_channels=192, channel_mult=[1, 2, 3, 5], num_head_channels=32, num_stage=2)
        | {"use_split_head": True, "split_embed_dim_list": [4, 4], "use_SPADE_norm": True}
        | {"in_channels": 8, "out_channels": 8},
        1057,
    ),
}


def drawn(config):
    """Return inputs of a model, and its tensors with what it computes of them, stage by stage."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, config["in_channels"], 4, 4, generator=generator)
    t = torch.tensor([3.0, 871.0])
    context = torch.randn(2, 5, config["context_dim"], generator=generator) if config.get("context_dim") else None
    y = torch.tensor([4, 1]) if config.get("num_classes") else None
    official = OfficialUNet(config)
    with torch.no_grad():
        made = [official(x, t, context=context, y=y, stage=stage) for stage in stages(config)]
    return (x, t, context, y), official.weights, made


def imported(config, weights):
    widths = ContextWidths(
        tokens=config.get("context_dim") or 0,
        map=pyunet.map_channels(config),
        pooled=config.get("num_classes") or 0,
    )
    network = options.make(pyunet.node(config))(
        channels=pyunet.channels(config), context=widths, tells_level=False
    ).eval()
    report = load(network, weights, pyunet.table(config), source="a test", changes=pyunet.changes(config))
    return network, report


def predict(network, x, t, context, y, scale):
    *parts, noisy = x[:, : sum(network.channels[: scale + 1])].split(network.channels[: scale + 1], dim=1)
    given = Context(
        tokens=context,
        map=x[:, sum(network.channels) :] if network.context.map else None,
        pooled=None if y is None else F.one_hot(y, network.context.pooled).float(),
    )
    return network(noisy, t, network.condition(scale=scale, coarse=tuple(parts), context=given))


@pytest.mark.parametrize("variant", VARIANTS)
def test_computes_what_the_official_code_does(variant):
    config = VARIANTS[variant]
    inputs, weights, expected = drawn(config)
    network, report = imported(config, weights)
    assert len(report.renamed) + len(report.dropped) == len(weights)
    outputs = [predict(network, *inputs, scale) for scale in stages(config)]
    for output, made in zip(outputs, expected, strict=True):
        torch.testing.assert_close(output.detach(), made, atol=1e-5, rtol=1e-4)
    sum(output.square().sum() for output in outputs).backward()
    idle = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle


@pytest.mark.parametrize("variant", ["LDM, a map and classes", "Frido"])
def test_the_variants_can_be_told_apart(variant):
    """What this page rests on: a wrong setting gives other numbers, not only other names."""
    config = VARIANTS[variant]
    inputs, weights, expected = drawn(config)
    other = {"num_heads": 4} if variant.startswith("LDM") else {"legacy": False}
    network, _ = imported(config | other, weights)
    with torch.no_grad():
        assert (predict(network, *inputs, 0) - expected[0]).abs().max() > 1e-3


def test_spade_of_one_stage_is_dropped():
    """Official code builds it where nothing is coarser, and never uses it."""
    config = VARIANTS["Frido, one stage"]
    _, weights, _ = drawn(config)
    report = imported(config, weights)[1]
    assert report.dropped and all(".mlp_" in name for name in report.dropped)


@pytest.mark.parametrize("option", RELEASED)
def test_released_settings_give_the_published_option(option):
    """So a converted model has the denoiser of a recipe that says `denoiser=OPTION`."""
    settings, tensors = RELEASED[option]
    assert pyunet.node(settings) == options.node("denoiser", option)
    made = shapes(settings)
    assert len(made) == tensors
    if option in test_published.UNETS:
        assert sum(tensor.numel() for tensor in made.values()) == test_published.UNETS[option][2]


@pytest.mark.parametrize(
    "odd",
    [
        {"dims": 3},
        {"use_mscond": True},
        {"n_embed": 8},
        {"num_classes": 3},
        {"use_split_head": False},
        {"use_spatial_transformer": False, "num_heads": 4, "num_head_channels": -1},
    ],
)
def test_what_we_cannot_build_is_refused(odd):
    with pytest.raises(FridoError, match="official U-Net's settings"):
        pyunet.node(FRIDO | odd)
