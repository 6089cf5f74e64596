"""Finite scalar quantisation, on values worked out by hand."""

import pytest
import torch

from frido.autoencoders.quantizers.fsq import FSQ
from frido.contracts.errors import FridoError


def column(*values):
    """Return one position with these channels."""
    return torch.tensor(values).view(1, -1, 1, 1)


def everything(quantizer):
    """Return every vector there is, one per row."""
    return quantizer.codes_to_latents(torch.arange(quantizer.num_codes).view(1, 1, 1, -1))[0, :, 0].T


@pytest.mark.parametrize(
    ("levels", "value", "rounded"),
    [
        (2, 0.1, 1.0),
        (2, -0.1, -1.0),
        (3, 0.49, 0.0),
        (3, 0.51, 1.0),
        (4, 0.1, 1 / 3),
        (4, 0.65, 1 / 3),
        (4, 0.68, 1.0),
        (5, -0.7, -0.5),
        (5, -0.76, -1.0),
        (5, 7.0, 1.0),
        (5, -7.0, -1.0),
    ],
)
def test_rounds_to_the_nearest_level(levels, value, rounded):
    quantizer = FSQ(channels=1, levels=[levels])
    assert quantizer.quantise(column(value)).item() == pytest.approx(rounded)


def test_index_counts_the_first_channel_fastest():
    quantizer = FSQ(channels=3, levels=[3, 2, 4])
    assert quantizer.num_codes == 24
    vector = column(0.0, 1.0, -1 / 3)  # the middle of three, the second of two, the second of four
    assert quantizer.latents_to_codes(vector).item() == 1 + 3 * 1 + 6 * 1
    torch.testing.assert_close(quantizer.codes_to_latents(torch.full((1, 1, 1, 1), 10)), vector)


def test_codes_are_distinct_and_all_reached():
    quantizer = FSQ(channels=4, levels=[8, 4, 5, 2])
    vectors = everything(quantizer)
    assert len(vectors.unique(dim=0)) == quantizer.num_codes == 8 * 4 * 5 * 2
    found = quantizer.latents_to_codes(vectors.T.reshape(1, 4, 1, -1)).flatten()
    assert torch.equal(found, torch.arange(quantizer.num_codes))


def test_grid_is_symmetric_with_both_ends():
    vectors = everything(FSQ(channels=3, levels=[8, 5, 2]))
    assert torch.equal(vectors, -vectors.flip(0))
    assert vectors.amax(dim=0).tolist() == [1, 1, 1]


def test_error_is_smaller_by_the_gain():
    quantizer = FSQ(channels=3, levels=[8, 5, 2])
    latents = torch.linspace(-1, 1, 1001).expand(1, 3, 1, -1)
    largest = (quantizer.quantise(latents) - latents).abs().amax(dim=(0, 2, 3), keepdim=True)[0]
    torch.testing.assert_close(largest * quantizer.gain, torch.ones(3, 1, 1), atol=0.01, rtol=0)


def test_bound_brings_any_feature_into_range_in_full_precision():
    quantizer = FSQ(channels=1, levels=[8])
    features = torch.randn(4, 1, 8, 8, dtype=torch.bfloat16)
    bounded = quantizer.bound(3 * features)
    assert bounded.abs().max() <= 1
    assert bounded.dtype == torch.float32
    torch.testing.assert_close(quantizer.bound(column(0.5)), column(0.46211716))


@pytest.mark.parametrize("levels", [[8, 4], [8, 4, 4, 4], [8, 4, 1], []])
def test_levels_that_do_not_fit_the_channels(levels):
    with pytest.raises(FridoError, match="3 latent channels") as refused:
        FSQ(channels=3, levels=levels)
    assert "autoencoder.quantizer.levels=[8, 4, 4]" in refused.value.do
