"""What every gate promises."""

import pytest
import torch

from frido.denoisers.gated_norm import GatedNorm
from frido.denoisers.gates.adain import AdainGate
from frido.denoisers.gates.cross_attention import CrossAttentionGate
from frido.denoisers.gates.film import FilmGate
from frido.denoisers.gates.spade import SpadeGate
from tests.denoisers import options

CHANNELS, COARSE, EMBEDDING = 32, 5, 12


def site_of(gate, *, attends=True, channels=CHANNELS, coarse=COARSE):
    return gate.site(channels=channels, coarse_channels=coarse, embedding_width=EMBEDDING, attends=attends)


def norm_of(site, channels=CHANNELS, groups=2):
    return GatedNorm(channels=channels, groups=groups, epsilon=1e-5, gate=site, factor=1)


def inputs(channels=CHANNELS, side=4):
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, channels, side, side), (2, COARSE, side, side), (2, EMBEDDING))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def gates(*entering):
    return [n for n in options.names("denoiser/gate") if options.build("denoiser/gate", n).enters in entering]


@pytest.mark.parametrize("name", options.names("denoiser/gate"))
def test_sites_where_it_enters_the_norms_only(name):
    gate = options.build("denoiser/gate", name)
    assert (site_of(gate) is not None) == (gate.enters == "norms")


@pytest.mark.parametrize("name", gates("norms"))
def test_without_coarse_features_it_is_only_a_norm(name):
    norm = norm_of(site_of(options.build("denoiser/gate", name)))
    hidden, _, embedding = inputs()
    plain = torch.nn.functional.group_norm(hidden, 2, *norm.norm.parameters())
    assert torch.equal(norm(hidden, (), embedding), plain)


@pytest.mark.parametrize("name", gates("norms"))
def test_modulates_by_the_coarse_features(name):
    torch.manual_seed(0)
    site = site_of(options.build("denoiser/gate", name))
    norm = norm_of(site)
    hidden, coarse, embedding = inputs()
    prepared = site.prepare(coarse)
    assert all(len(part) == len(coarse) for part in prepared)  # the batch first: conditions concatenate
    gated = norm(hidden, prepared, embedding)
    assert gated.shape == hidden.shape
    assert not torch.allclose(gated, norm(hidden, (), embedding))
    assert not torch.allclose(gated, norm(hidden, site.prepare(coarse.flip(0)), embedding))
    assert all(torch.equal(a, b) for a, b in zip(site.prepare(coarse), prepared, strict=True))


@pytest.mark.parametrize("name", gates("norms"))
def test_starts_as_the_identity_with_init_0(name):
    gate = options.make(options.node("denoiser/gate", name) | {"init": 0.0})
    site = site_of(gate)
    hidden, coarse, embedding = inputs()
    norm = norm_of(site)
    torch.testing.assert_close(norm(hidden, site.prepare(coarse), embedding), norm(hidden, (), embedding))
    # and learns from there
    weights = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(1))
    (norm(hidden, site.prepare(coarse), embedding) * weights).sum().backward()
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in site.parameters())


@pytest.mark.parametrize("init", [0.0, 1.0])
def test_concatenation_starts_with_its_share_of_the_input(init):
    gate = options.make(options.node("denoiser/gate", "concat") | {"init": init})
    entrance = torch.nn.Conv2d(3 + 2 + 4, 8, 3)  # coarse latents, a map, the noisy latent
    before = entrance.weight.detach().clone()
    gate.start(entrance, coarse=3)
    torch.testing.assert_close(entrance.weight[:, :3], init * before[:, :3])
    assert torch.equal(entrance.weight[:, 3:], before[:, 3:])


def normed(hidden, norm, groups=2):
    grouped = hidden.view(len(hidden), groups, -1)
    centred = grouped - grouped.mean(-1, keepdim=True)
    unit = (centred / (grouped.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()).view_as(hidden)
    return unit * norm.norm.weight[:, None, None] + norm.norm.bias[:, None, None]


def test_spade_is_its_formula():
    site = site_of(SpadeGate(hidden=7, init=1.0))
    norm = norm_of(site)
    with torch.no_grad():
        norm.norm.weight.uniform_(0.5, 2)
    hidden, coarse, embedding = inputs()
    a = site.shared(coarse).clamp(min=0)
    expected = normed(hidden, norm) * (1 + site.scale(a)) + site.shift(a)
    torch.testing.assert_close(norm(hidden, site.prepare(coarse), embedding), expected, atol=1e-5, rtol=1e-5)


def test_adain_modulates_by_coarse_latents_then_by_stage_and_time():
    site = site_of(AdainGate(init=1.0))
    norm = norm_of(site)
    hidden, coarse, embedding = inputs()
    scale, shift = site.style(embedding)[:, :, None, None].split(CHANNELS, dim=1)
    expected = (normed(hidden, norm) * (1 + site.scale(coarse)) + site.shift(coarse)) * (1 + scale) + shift
    torch.testing.assert_close(norm(hidden, site.prepare(coarse), embedding), expected, atol=1e-5, rtol=1e-5)


def test_film_forgets_places():
    site = site_of(FilmGate(hidden=7, init=1.0))
    _, coarse, _ = inputs()
    moved = coarse.flip(-1).roll(1, dims=-2)
    for part, other in zip(site.prepare(coarse), site.prepare(moved), strict=True):
        torch.testing.assert_close(part, other)


def test_cross_attention_is_where_the_network_attends():
    gate = CrossAttentionGate(num_heads=2, head_channels=None, init=1.0)
    assert site_of(gate, attends=False) is None
    site = site_of(gate)
    _, coarse, _ = inputs()
    keys, values = site.prepare(coarse)
    assert keys.shape == values.shape == (2, 2, 16, CHANNELS // 2)


def test_groups_fit_any_width():
    for channels, groups in ((48, 16), (96, 32), (30, 2)):
        assert norm_of(None, channels=channels, groups=32).norm.num_groups == groups
