"""Official first stages: what their shapes say, what they compute, and what is refused."""

import copy

import pytest
import torch

from frido.cli.build import build
from frido.cli.compose import compose
from frido.contracts.errors import FridoError
from frido.importers import first_stage, first_stage_names, first_stage_settings
from frido.importers.translate import load
from tests.autoencoders import test_published
from tests.importers import official

SMALL = {
    "VQ": official.VQ,
    "VQ without attention": official.NO_ATTENTION,
    "KL": official.KL,
    "MS": official.MS,
    "MS of one scale": official.MS_ALONE,
}
PARAMETERS = test_published.PARAMETERS | {"msvqgan_f16f8": 67_994_775, "msvqgan_f8f4": 63_946_989}


@pytest.fixture(params=SMALL)
def config(request):
    return copy.deepcopy(SMALL[request.param])


def imported(weights):
    stage = first_stage.read(weights)
    model = build(first_stage.node(stage, commitment=first_stage.COMMITMENT)).eval()
    report = load(
        model,
        weights,
        first_stage_names.table(stage),
        source="a test",
        changes=first_stage_names.changes(stage),
        keep=first_stage_names.KEEP,
    )
    return model, report


@torch.no_grad()
def test_computes_what_the_official_code_does(config):
    """Against an implementation that shares nothing with ours, with official names and settings."""
    made_there, image, reconstruction = official.fabricate(config)
    model, report = imported(made_there.weights)
    assert set(report.renamed) == set(made_there.weights)
    torch.testing.assert_close(model(image).images, reconstruction, atol=1e-5, rtol=1e-4)
    latents = model.encode(image)
    if "edconfig" in config:
        expected = made_there.pyramid(image)[0]
    elif "n_embed" in config:
        expected = [made_there.encode(image)]
    else:
        expected = [made_there.encode(image).chunk(2, dim=1)[0]]
    for ours, theirs in zip(latents, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.decode(latents), reconstruction, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("option", official.RELEASED)
def test_released_shapes_give_the_published_option(option):
    """So weights of a converted model fit a recipe that says `autoencoder=OPTION`, and both share one stage."""
    weights = official.shapes(official.RELEASED[option])
    assert sum(tensor.numel() for tensor in weights.values()) == PARAMETERS[option]
    stage = first_stage.read(weights)
    first_stage_settings.check(stage, official.RELEASED[option])
    node = first_stage.node(stage, commitment=first_stage.COMMITMENT)
    assert node == compose("run", [f"autoencoder={option}"])["autoencoder"]


def test_settings_of_the_weights_are_accepted(config):
    first_stage_settings.check(first_stage.read(official.shapes(config)), config)


def test_resolutions_that_a_network_does_not_have_say_nothing(config):
    stage = first_stage.read(official.shapes(config))
    config["ddconfig"]["attn_resolutions"] = [*config["ddconfig"]["attn_resolutions"], 48, 2]
    first_stage_settings.check(stage, config)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("embed_dim", 5),
        ("n_embed", 25),
        ("ddconfig.ch", 64),
        ("ddconfig.ch_mult", [1, 2]),
        ("ddconfig.num_res_blocks", 2),
        ("ddconfig.attn_resolutions", [32]),
        ("ddconfig.attn_type", "none"),
        ("ddconfig.z_channels", 5),
        ("ddconfig.double_z", "the other"),
        ("ddconfig.tanh_out", True),
        ("ddconfig.resamp_with_conv", False),
    ],
)
def test_settings_of_other_weights_are_named(config, place, value):
    stage = first_stage.read(official.shapes(config))
    section, _, key = place.rpartition(".")
    node = config[section] if section else config
    if value == "none" and node.get(key) == "none":
        value = "vanilla"
    node[key] = not node[key] if value == "the other" else value
    if node.get("attn_type") == "none" and key == "attn_resolutions":
        return first_stage_settings.check(stage, config)  # without attention there is none to place
    with pytest.raises(FridoError, match=rf"config: {section or key}"):
        first_stage_settings.check(stage, config)


def test_the_commitment_of_the_yaml_is_used():
    node = first_stage.node(first_stage.read(official.shapes(official.MS)), commitment=0.5)
    assert [quantizer["commitment"] for quantizer in node["quantizer"]] == [0.5, 0.5, 0.5]
    assert [quantizer["num_codes"] for quantizer in node["quantizer"]] == [16, 24, 16]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"ms_quantize.1.embedding.weight": (24, 5)}, "the same at every scale"),
        ({"encoder.conv_in.weight": (32, 1, 3, 3)}, "images of 1 channels"),
        ({"decoder.conv_out.weight": (5, 32, 3, 3)}, "reconstructions of 5 channels"),
        ({"encoder.down.1.block.0.conv1.weight": (48, 32, 3, 3)}, "whole multiples"),
        ({"decoder.up.1.block.0.conv1.weight": (32, 32, 3, 3)}, "a decoder from f2"),
    ],
)
def test_models_that_we_cannot_build_are_refused(change, word):
    weights = official.shapes(official.MS)
    weights |= {name: torch.empty(shape, device="meta") for name, shape in change.items()}
    with pytest.raises(FridoError, match=word):
        first_stage.read(weights)


@pytest.mark.parametrize("weights", [{}, {"model.weight": torch.zeros(1)}, {"quantize.embed.weight": torch.zeros(1)}])
def test_other_families_are_refused(weights):
    if "quantize.embed.weight" in weights:  # a Gumbel VQGAN
        weights = {**official.shapes(official.KL), **weights}
    with pytest.raises(FridoError, match="first stage in the checkpoint"):
        first_stage.read(weights)


def test_half_a_model_is_refused():
    weights = official.shapes(official.VQ)
    del weights["decoder.conv_in.weight"]
    with pytest.raises(FridoError, match=r"decoder\.conv_in\.weight"):
        first_stage.read(weights)


def test_the_first_stage_of_a_diffusion_model_is_found():
    """LDM keeps it once more where it also encodes conditions."""
    prefixes = ("cond_stage_model.", "first_stage_model.", "first_stage_model.inner.")
    tensors = {f"{prefix}encoder.conv_in.weight": torch.tensor(index) for index, prefix in enumerate(prefixes)}
    found = first_stage.weights_in({**tensors, "model.diffusion_model.x": torch.zeros(1)})
    assert int(found["encoder.conv_in.weight"]) == 1
    assert "model.diffusion_model.x" not in found
    alone = {"encoder.conv_in.weight": torch.zeros(1), "decoder.conv_in.weight": torch.ones(1)}
    assert first_stage.weights_in(alone).keys() == alone.keys()


@pytest.mark.parametrize(
    ("tensors", "settings", "expected"),
    [
        (
            {"model.diffusion_model.out.2.bias": torch.zeros(3)},
            {},
            [1.0, 1.0],
        ),  # LDM on VQ latents: none is written down
        ({"scale_factor": torch.tensor(0.5)}, {"scale_factor": 0.25}, [0.5, 0.5]),
        ({"scale_factor": torch.tensor([0.5, 2.0])}, {}, [0.5, 2.0]),
        ({}, {"scale_factor": 0.25}, [0.25, 0.25]),
    ],
)
def test_scale_factors(tensors, settings, expected):
    assert first_stage.scale_factors(tensors, settings, scales=2).tolist() == expected


def test_a_first_stage_alone_has_no_scale_factors():
    assert first_stage.scale_factors({}, {}, scales=2) is None


def test_scale_factors_of_another_model():
    with pytest.raises(FridoError, match="3 numbers"):
        first_stage.scale_factors({"scale_factor": torch.ones(3)}, {}, scales=2)
