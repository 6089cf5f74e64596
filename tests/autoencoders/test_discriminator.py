"""The patch discriminator: its published sizes, where it starts, and the norm that looks at one batch only."""

from functools import partial

import pytest
import torch
from torch import nn

from frido.autoencoders.losses.act_norm import ActNorm
from frido.autoencoders.losses.patch_discriminator import PatchDiscriminator
from tests.autoencoders import options, two_ranks


def discriminator(name):
    return options.made(
        "first_stage.loss.discriminator", "autoencoder/loss=adversarial", f"autoencoder/loss/discriminator={name}"
    )


def features(seed=0, *, batch=4):
    random = torch.Generator().manual_seed(seed)
    return torch.tensor([1.0, 5.0]).view(1, 2, 1, 1) + 3 * torch.randn(batch, 2, 6, 6, generator=random)


@pytest.mark.parametrize(("num_layers", "millions", "patches"), [(2, 0.663, 62), (3, 2.766, 30)])
def test_published_discriminators(num_layers, millions, patches):
    with torch.device("meta"):
        network = PatchDiscriminator(width=64, num_layers=num_layers, norm=partial(nn.BatchNorm2d), bias=False, seed=0)
        assert network(torch.empty(1, 3, 256, 256)).shape == (1, 1, patches, patches)
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(millions, abs=5e-4)


@pytest.mark.parametrize("name", options.names("autoencoder/loss/discriminator"))
def test_discriminator_starts_small_and_seeded(name):
    first, second = discriminator(name), discriminator(name)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    convolutions = [module for module in first.main if isinstance(module, nn.Conv2d)]
    weights = torch.cat([module.weight.flatten() for module in convolutions])
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    assert weights.mean().item() == pytest.approx(0, abs=1e-4)
    assert all(not module.bias.any() for module in convolutions if module.bias is not None)


def test_a_layer_before_a_batch_norm_has_no_bias():
    with_batch_norm, with_act_norm = discriminator("patch_3").main, discriminator("patch_3_actnorm").main
    biased = [
        [module.bias is not None for module in main if isinstance(module, nn.Conv2d)]
        for main in (with_batch_norm, with_act_norm)
    ]
    assert biased == [[True, False, False, False, True], [True] * 5]


def test_act_norm_standardises_the_first_training_batch():
    norm = ActNorm(num_features=2)
    assert torch.equal(norm.eval()(features()), features()), "not before training"
    out = norm.train()(features())
    torch.testing.assert_close(out.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.transpose(0, 1).flatten(1).std(dim=1), torch.ones(2), atol=1e-5, rtol=0)
    out.square().mean().backward()
    assert norm.loc.grad.abs().min() > 0 or norm.scale.grad.abs().min() > 0


def test_act_norm_looks_at_one_batch_only():
    norm = ActNorm(num_features=2).train()
    norm(features(0))
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    norm(features(1) + 7)
    assert all(torch.equal(tensor, before[name]) for name, tensor in norm.state_dict().items())
    again = ActNorm(num_features=2).train()
    again.load_state_dict(before)
    assert torch.equal(again(features(1)), norm(features(1))), "a resumed training does not start anew"


def test_act_norm_starts_from_the_global_batch(tmp_path):
    """The ranks' halves differ in mean, so that statistics of a half would be seen."""
    batch = torch.cat([features(0), features(1) + 4])
    one = ActNorm(num_features=2).train()
    one(batch)
    states = two_ranks.run(tmp_path, two_ranks.standardise, batch)
    for name, tensor in one.state_dict().items():
        assert torch.equal(states[0][name], states[1][name]), name
        torch.testing.assert_close(states[0][name], tensor, msg=name)
