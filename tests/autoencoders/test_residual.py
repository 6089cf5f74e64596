"""Codebooks in a row: what is true of a greedy sum of vectors."""

from functools import partial
from itertools import pairwise

import pytest
import torch

from frido.autoencoders.quantizers.ema_vq import EMAVectorQuantizer
from frido.autoencoders.quantizers.fsq import FSQ
from frido.autoencoders.quantizers.residual import ResidualQuantizer
from frido.autoencoders.quantizers.vq import VectorQuantizer
from frido.contracts.errors import FridoError
from tests.autoencoders import options

CHANNELS = 4


def inner(name):
    return options.made("autoencoder.quantizer", f"autoencoder/quantizer={name}")


SINGLE = [name for name in options.names("autoencoder/quantizer") if inner(name)(channels=CHANNELS).num_codebooks == 1]


def by_hand(*books):
    learned = partial(VectorQuantizer, num_codes=len(books[0]), commitment=0.25, legacy=False)
    made = ResidualQuantizer(channels=1, quantizer=learned, depth=len(books))
    made.load_state_dict({f"depths.{d}.codebook": torch.tensor(book)[:, None] for d, book in enumerate(books)})
    return made


def row(*values):
    return torch.tensor(values).view(1, 1, 1, -1)


def trained(depth):
    torch.manual_seed(0)
    running = partial(EMAVectorQuantizer, num_codes=16, commitment=0.25, decay=0.5, revive_after=64)
    made = ResidualQuantizer(channels=2, quantizer=running, depth=depth).train()
    for step in range(20):
        made(torch.randn(16, 2, 8, 8, generator=torch.Generator().manual_seed(step)))
    return made.eval()


def test_two_depths_by_hand():
    made = by_hand([-4.0, 0.0, 4.0], [-1.0, 0.0, 1.0])
    latents = row(2.9, -0.7, -4.2).requires_grad_()
    quantised = made(latents)
    assert quantised.codes[0, :, 0].tolist() == [[2, 1, 0], [0, 0, 1]]
    assert quantised.latents.flatten().tolist() == [3, -1, -4]
    # what is left over at each depth: 1.1, 0.7, 0.2, then 0.1, 0.3, 0.2
    first, second = (1.21 + 0.49 + 0.04) / 3, (0.01 + 0.09 + 0.04) / 3
    assert quantised.loss.item() == pytest.approx(1.25 * (first + second) / 2)
    (gradient,) = torch.autograd.grad(quantised.loss, latents)
    pulls = torch.tensor([-1.1 - 0.1, -0.7 + 0.3, -0.2 - 0.2])  # to both partial sums
    torch.testing.assert_close(gradient.flatten(), 0.25 * 2 * pulls / 3 / 2)


def test_greedy_choice_is_not_idempotent():
    made = by_hand([0.0, 4.0], [0.0, 3.0])
    assert made.quantise(row(1.9)).item() == 3
    assert made.quantise(row(3.0)).item() == 4


@pytest.mark.parametrize("name", SINGLE)
def test_depth_one_is_the_inner_quantizer(name):
    torch.manual_seed(0)
    made = ResidualQuantizer(channels=CHANNELS, quantizer=inner(name), depth=1).train()
    alone = inner(name)(channels=CHANNELS).train()
    alone.load_state_dict({key.removeprefix("depths.0."): value.clone() for key, value in made.state_dict().items()})
    for step in range(3):
        latents = torch.randn(2, CHANNELS, 4, 4)
        results = []
        for quantizer in (made, alone):
            torch.manual_seed(step)
            results.append(quantizer(latents))
        assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    assert torch.equal(made.quantise(latents), alone.quantise(latents))
    assert torch.equal(made.bound(latents), alone.bound(latents))
    assert made.num_codes == alone.num_codes


@torch.no_grad()
def test_error_falls_with_depth():
    made, latents = trained(depth=4), torch.randn(4, 2, 8, 8)
    codes = made.latents_to_codes(latents)
    errors = []
    for depth in range(1, 5):
        sum_so_far = sum(
            quantizer.codes_to_latents(codes[:, d : d + 1]) for d, quantizer in enumerate(made.depths[:depth])
        )
        errors.append((sum_so_far - latents).square().mean().item())
    assert all(later < 0.5 * earlier for earlier, later in pairwise(errors))
    assert errors[-1] == pytest.approx((made.quantise(latents) - latents).square().mean().item())


@torch.no_grad()
def test_codes_of_less_depth_come_first():
    deep, latents = trained(depth=3), torch.randn(4, 2, 8, 8)
    shallow = trained(depth=2)
    shallow.load_state_dict({k: v for k, v in deep.state_dict().items() if not k.startswith("depths.2.")})
    assert torch.equal(shallow.latents_to_codes(latents), deep.latents_to_codes(latents)[:, :2])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_fixed_levels_use_their_whole_range_at_every_depth(depth):
    """The worst error of L levels is 1 / (L - 1), and every depth divides it by as much again."""
    made = ResidualQuantizer(channels=2, quantizer=partial(FSQ, levels=[5, 4]), depth=depth)
    latents = torch.linspace(-1, 1, 10_001, dtype=torch.float64).expand(1, 2, 1, -1)
    worst = (made.double()(latents).latents - latents).abs().amax(dim=(0, 2, 3))
    torch.testing.assert_close(worst, torch.tensor([4.0, 3.0]).double() ** -depth, atol=2e-4, rtol=0)
    assert made.latents_to_codes(latents).amax(dim=(0, 2, 3)).tolist() == [19] * depth


@pytest.mark.parametrize("depth", [0, 9])
def test_depth_out_of_range(depth):
    with pytest.raises(FridoError, match="1 to 8"):
        ResidualQuantizer(channels=4, quantizer=inner("fsq"), depth=depth)


@pytest.mark.parametrize("name", ["none", "residual"])
def test_only_quantizers_of_one_codebook_go_inside(name):
    with pytest.raises(FridoError, match="one codebook"):
        ResidualQuantizer(channels=4, quantizer=inner(name), depth=2)


def test_depth_and_inner_quantizer_are_chosen_on_the_command_line():
    mount = "autoencoder/quantizer@autoencoder.quantizer.quantizer"
    made = options.made(
        "autoencoder.quantizer", "autoencoder/quantizer=residual", "autoencoder.quantizer.depth=4", f"{mount}=fsq"
    )(channels=CHANNELS)
    assert made.num_codebooks == 4
    assert isinstance(made.depths[3], FSQ)
