"""First stages of published size, on the meta device: number of parameters, and shapes at 256 px."""

import pytest
import torch

from tests.autoencoders import options

PARAMETERS = {
    "vqgan_f4": 55_322_782,
    "vqgan_f4_noattn": 53_219_486,
    "vqgan_f8": 67_717_295,
    "kl_f8": 83_653_863,
    "kl_f16": 69_610_963,
}
"""Of LDM's configurations, which count encoder, codebook and decoder; their loss has its own (`loss.logvar`, LPIPS)."""
MILLIONS = {"msvqgan_f16f8": 67.995, "msvqgan_f8f4": 63.947}
LATENTS = {
    "msvqgan_f16f8": [(4, 16), (4, 32)],
    "msvqgan_f8f4": [(3, 32), (3, 64)],
    "vqgan_f4": [(3, 64)],
    "vqgan_f4_noattn": [(3, 64)],
    "vqgan_f8": [(4, 32)],
    "vqgan_f8_n256": [(4, 32)],
    "vqgan_f16": [(8, 16)],
    "kl_f4": [(3, 64)],
    "kl_f8": [(4, 32)],
    "kl_f16": [(16, 16)],
    "kl_f32": [(64, 8)],
}
"""Channels and side per scale."""
CODES = {
    "msvqgan_f16f8": 8192,
    "msvqgan_f8f4": 4096,
    "vqgan_f4": 8192,
    "vqgan_f4_noattn": 8192,
    "vqgan_f8": 16384,
    "vqgan_f8_n256": 256,
    "vqgan_f16": 16384,
}


def published(name):
    with torch.device("meta"):
        return options.autoencoder(f"autoencoder={name}")


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_ldm(name):
    assert count(published(name)) == PARAMETERS[name]


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_of_frido(name):
    assert count(published(name)) / 1e6 == pytest.approx(MILLIONS[name], abs=5e-4)


@pytest.mark.parametrize("name", LATENTS)
def test_shapes(name):
    model = published(name)
    with torch.device("meta"):
        features = model.encoder(torch.empty(1, 3, 256, 256))
        projections = model.project if isinstance(model.project, torch.nn.ModuleList) else [model.project]
        latents = [project(x) for project, x in zip(projections, features, strict=True)]
        finest = torch.empty(1, model.mix.in_channels, *latents[-1].shape[2:])
        image = model.decoder(model.mix(finest))
    moments = 1 if name in CODES else 2  # a mean and a log-variance
    assert [(x.shape[1] // moments, x.shape[3]) for x in latents] == LATENTS[name]
    assert model.channels == tuple(channels for channels, _ in LATENTS[name])
    assert model.factors == tuple(256 // side for _, side in LATENTS[name])
    assert image.shape == (1, 3, 256, 256)


@pytest.mark.parametrize("name", LATENTS)
def test_codes(name):
    assert published(name).num_codes == (CODES.get(name, 0),) * len(LATENTS[name])


@pytest.mark.parametrize("name", ["vqgan_f4_noattn"])
def test_no_attention(name):
    assert not [part for part, _ in published(name).named_modules() if "attention" in part and part.endswith("query")]
