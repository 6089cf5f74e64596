"""Backbones of timm as encoders, with random weights or a local file of them."""

from functools import partial

import pytest
import timm
import torch
from safetensors.torch import save_file

from frido.autoencoders.encoders.timm import TimmEncoder
from frido.contracts.errors import FridoError
from frido.nn.seeded import seeded
from tests.autoencoders import options

BACKBONES = [
    ("convnext_atto", [16, 8, 4]),
    ("resnet18", [8, 2]),
    ("swin_tiny_patch4_window7_224", [8, 4]),
    ("pvt_v2_b0", [16, 8]),
    ("vit_tiny_patch16_224", [16]),
    ("mobilenetv3_small_100", [8, 4]),
]


def encoder(model, factors, *, weights=None):
    with seeded(0):
        return TimmEncoder(channels=4, factors=factors, model=model, weights=weights)


def images(side=64):
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(("model", "factors"), BACKBONES)
def test_a_map_per_factor_and_no_idle_parameter(model, factors):
    made = encoder(model, factors)
    maps = made(images())
    assert [tuple(x.shape) for x in maps] == [(2, 4, 64 // factor, 64 // factor) for factor in factors]
    sum(x.square().mean() for x in maps).backward()
    idle = [name for name, parameter in made.named_parameters() if parameter.grad is None]
    assert not idle, "DDP stops when a parameter has no gradient"
    assert len(list(made.trunk.parameters())) > 0


@pytest.mark.parametrize("side", [32, 96])
def test_images_of_other_sizes_than_the_backbone_was_made_for(side):
    maps = encoder("swin_tiny_patch4_window7_224", [8, 4])(images(side))
    assert [x.shape[-1] for x in maps] == [side // 8, side // 4]


def test_images_reach_the_backbone_as_its_weights_expect():
    made, seen = encoder("convnext_atto", [8, 4]), []
    made.trunk.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    colour = torch.tensor(made.trunk.pretrained_cfg["mean"])  # in [0, 1]
    made((2 * colour - 1).view(1, 3, 1, 1).expand(1, 3, 32, 32))
    torch.testing.assert_close(seen[0], torch.zeros(1, 3, 32, 32), atol=1e-6, rtol=0)
    made(torch.ones(1, 3, 32, 32))
    expected = (1 - colour) / torch.tensor(made.trunk.pretrained_cfg["std"])
    torch.testing.assert_close(seen[1][0, :, 0, 0], expected)


def test_deeper_stages_are_left_out():
    assert len(list(encoder("convnext_atto", [8, 4]).parameters())) < len(
        list(encoder("convnext_atto", [16, 8, 4]).parameters())
    )
    assert not [name for name, _ in encoder("resnet18", [4]).named_parameters() if "layer2" in name]


def test_several_stages_of_one_size_give_the_deepest():
    """All blocks of a ViT lie on one grid; the last one speaks."""
    trunk = encoder("vit_tiny_patch16_224", [16]).trunk
    assert trunk.feature_info.get("module") == ["blocks.11"]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_of_a_file(tmp_path, suffix):
    torch.manual_seed(5)
    whole, path = timm.create_model("resnet18"), tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(whole.state_dict(), path)
    made = encoder("resnet18", [8, 4], weights=str(path))
    ours = made.trunk.state_dict()
    assert all(torch.equal(tensor, whole.state_dict()[name]) for name, tensor in ours.items())
    assert torch.equal(made.heads[0].weight, encoder("resnet18", [8, 4], weights=str(path)).heads[0].weight)


def test_a_file_that_does_not_fit(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(timm.create_model("resnet18").state_dict(), path)
    for model, weights in (("convnext_atto", path), ("resnet34", path), ("resnet18", tmp_path / "absent.pth")):
        with pytest.raises(FridoError, match=r"encoder\.weights"):
            encoder(model, [8, 4], weights=str(weights))
    path.write_text("not weights")
    with pytest.raises(FridoError, match=r"encoder\.weights"):
        encoder("resnet18", [8, 4], weights=str(path))


def test_unknown_backbone():
    with pytest.raises(FridoError, match="convnext_ato") as refused:
        encoder("convnext_ato", [8, 4])
    assert refused.value.do == "autoencoder.encoder.model=convnext_atto"
    with pytest.raises(FridoError, match="hub"):  # timm would go and look for it
        encoder("hf-hub:timm/resnet18.a1_in1k", [8, 4])


def test_factors_that_the_backbone_does_not_have():
    with pytest.raises(FridoError, match="convnext_atto") as refused:
        encoder("convnext_atto", [4, 2])
    assert "[32, 16, 8, 4]" in refused.value.wanted
    assert refused.value.do == "autoencoder.factors=[8,4]"


def test_as_an_option_of_an_autoencoder():
    build = partial(options.light, "autoencoder/encoder=timm")
    model, same, other = build(), build(), build(seed=1)
    weights = [made.encoder.trunk.state_dict()["stem_0.weight"] for made in (model, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert model(images()).images.shape == (2, 3, 64, 64)
