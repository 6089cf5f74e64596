"""What every quantizer promises, for each option there is; the losses of the learned codebook; one kind per scale."""

import shutil

import pytest
import torch
from safetensors.torch import load, save

from frido.autoencoders.quantizers.vq import VectorQuantizer
from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.options import config_dir
from frido.cli.schema import check_node
from tests.autoencoders import options, two_ranks

CHANNELS = 4
NAMES = options.names("autoencoder/quantizer")
WITHOUT, GREEDY = {"none"}, {"residual"}
"""Options with no codebook and with several, by name: a new one that makes no single choice shows up here."""


def only(names):
    """Let a test see these options alone."""
    return pytest.mark.parametrize("quantizer", sorted(names), indirect=True)


def option(name):
    made = options.made("autoencoder.quantizer", f"autoencoder/quantizer={name}")(channels=CHANNELS)
    # Codes at the scale of latents, far enough apart to know which is nearest.
    spread = {key: torch.randn_like(book) for key, book in made.state_dict().items() if key.endswith("codebook")}
    made.load_state_dict(made.state_dict() | spread)
    return made.eval()


@pytest.fixture(params=NAMES)
def quantizer(request):
    torch.manual_seed(0)
    return option(request.param)


@pytest.fixture
def latents():
    return torch.randn(2, CHANNELS, 5, 3, generator=torch.Generator().manual_seed(1))


def all_codes(quantizer):
    return torch.arange(quantizer.num_codes).view(1, 1, 1, -1)


def test_shape_and_range_of_codes(quantizer, latents):
    codes = quantizer.latents_to_codes(latents)
    assert codes.shape == (2, quantizer.num_codebooks, 5, 3)
    assert codes.dtype == torch.int64
    assert ((codes >= 0) & (codes < quantizer.num_codes)).all()
    assert (quantizer.num_codes == 0) == (quantizer.num_codebooks == 0)
    assert torch.equal(quantizer(latents).codes, codes)
    assert quantizer.channels == CHANNELS


@only({*NAMES} - WITHOUT - GREEDY)
def test_picks_the_nearest_code(quantizer, latents):
    book = quantizer.codes_to_latents(all_codes(quantizer))[0, :, 0].T
    vectors = latents.double().permute(0, 2, 3, 1).reshape(-1, CHANNELS)
    nearest = torch.cdist(vectors, book.double()).argmin(dim=1).view(2, 1, 5, 3)
    assert torch.equal(quantizer.latents_to_codes(latents), nearest)


def test_codes_lead_back_to_the_quantised_map(quantizer, latents):
    made = quantizer(latents)
    assert torch.equal(quantizer.quantise(latents), made.latents)
    if quantizer.num_codebooks:
        assert torch.equal(quantizer.codes_to_latents(made.codes), made.latents)


@only({*NAMES} - GREEDY)  # a greedy choice of several is not idempotent; test_residual.py has what holds
def test_quantising_twice_is_quantising_once(quantizer, latents):
    once = quantizer.quantise(latents)
    assert torch.equal(quantizer.quantise(once), once)


def test_gradient_passes_straight_through(quantizer, latents):
    latents.requires_grad_()
    direction = torch.randn_like(latents)
    (gradient,) = torch.autograd.grad((quantizer(latents).latents * direction).sum(), latents)
    assert torch.equal(gradient, direction)


def test_loss_pulls_latents_to_their_codes(quantizer, latents):
    latents.requires_grad_()
    made = quantizer(latents)
    if not made.loss.requires_grad:
        assert made.loss.item() == 0
        assert not list(quantizer.parameters()), "what has parameters has a loss"
        return
    (gradient,) = torch.autograd.grad(made.loss, latents)
    with torch.no_grad():
        moved = quantizer(latents - gradient)
    assert moved.loss < made.loss


def test_training_reaches_every_parameter(quantizer, latents):
    """DDP stops when a parameter has no gradient."""
    quantizer.train()(latents.requires_grad_())  # codebooks place themselves on the first batch
    made = quantizer(latents)
    (made.latents.square().mean() + made.loss).backward()
    assert all(parameter.grad.any() for parameter in [*quantizer.parameters(), latents])


def test_evaluation_changes_nothing(quantizer, latents):
    before = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    state = torch.get_rng_state()
    with torch.no_grad():
        quantizer(latents)
        quantizer.train().quantise(latents)
    assert all(torch.equal(tensor, before[name]) for name, tensor in quantizer.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("training", [False, True])
def test_works_in_float32_under_autocast(quantizer, latents, training):
    quantizer.train(training)
    coarse = latents.bfloat16()
    state = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    torch.manual_seed(2)
    exact = quantizer(coarse.float())
    quantizer.load_state_dict(state)
    torch.manual_seed(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = quantizer(coarse)
    assert made.latents.dtype == made.loss.dtype == torch.float32
    assert all(torch.equal(one, other) for one, other in zip(made, exact, strict=True))


def test_works_in_float64(quantizer, latents):
    made = quantizer.double()(latents.double())
    assert made.latents.dtype == made.loss.dtype == quantizer.quantise(latents.double()).dtype == torch.float64


def test_map_is_not_channels_last(quantizer, latents):
    """Its strides would spread to the whole decoder, where group norm takes 20 times longer with them on CPUs."""
    latents = latents.repeat(1, 1, 2, 2)
    assert quantizer.quantise(latents).is_contiguous()
    assert quantizer.train()(latents).latents.is_contiguous()


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_is_the_same(name, latents):
    first, second = option(name), option(name)
    two_ranks.train(None, {name: first}, [latents, latents + 1])
    second.load_state_dict(load(save(first.state_dict())))
    assert torch.equal(first.eval().quantise(latents), second.quantise(latents))
    batches = [latents, latents - 1, latents + 2]
    (one,), (other,) = (two_ranks.train(None, {name: made}, batches).values() for made in (first, second))
    assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())


def test_two_ranks_stay_one(tmp_path):
    """Replicas that see different halves are equal bit for bit, and but for random draws equal to one process."""
    torch.manual_seed(0)
    quantizers = {name: option(name) for name in NAMES}
    batches = [torch.randn(8, CHANNELS, 4, 4) for _ in range(4)]
    first, second = two_ranks.run(tmp_path, two_ranks.train, quantizers, batches)
    whole = two_ranks.train(None, quantizers, batches)
    for name in NAMES:
        for key, tensor in whole[name].items():
            place = f"{name}: {key}"
            assert torch.equal(first[name][key], second[name][key]), place
            if name != "gumbel" or key == "images_seen":
                torch.testing.assert_close(first[name][key], tensor, msg=place)


@pytest.mark.parametrize("legacy", [True, False])
def test_place_of_the_weight(legacy):
    """One latent, one code: the released code weights the code's pull, the paper the latent's."""
    quantizer = VectorQuantizer(channels=1, num_codes=1, commitment=0.25, legacy=legacy)
    quantizer.load_state_dict({"codebook": torch.tensor([[1.0]])})
    latent = torch.tensor([[[[3.0]]]], requires_grad=True)
    made = quantizer(latent)
    made.loss.backward()
    assert made.loss.item() == pytest.approx(1.25 * 4)
    assert latent.grad.item() == pytest.approx((1.0 if legacy else 0.25) * 4)
    assert quantizer.codebook.grad.item() == pytest.approx(-(0.25 if legacy else 1.0) * 4)


VQ = "{_target_: frido.autoencoders.quantizers.vq.VectorQuantizer, _partial_: true, "
FSQ = "{_target_: frido.autoencoders.quantizers.fsq.FSQ, _partial_: true, levels: [5, 5, 5, 5]}"
PER_SCALE = f"[{VQ}num_codes: 16, commitment: 0.25, legacy: false}}, {FSQ}]"
"""Sixteen learned codes on the coarse scale, 625 fixed ones on the fine scale."""


def test_one_quantizer_per_scale_on_the_command_line():
    """A list does not replace a mapping, hence the null before it."""
    config = compose("run", ["autoencoder.quantizer=null", f"autoencoder.quantizer={PER_SCALE}"])
    check_node("autoencoder", config["autoencoder"])
    assert [make(channels=4).num_codes for make in build(config["autoencoder"]["quantizer"])] == [16, 625]


def test_one_quantizer_per_scale_as_an_option(tmp_path):
    folder = shutil.copytree(config_dir(), tmp_path / "conf")
    text = f"# @package autoencoder\n# A small codebook, then FSQ.\nquantizer: {PER_SCALE}\n"
    (folder / "autoencoder/quantizer/own.yaml").write_text(text)
    overrides = ["autoencoder/quantizer=own", "autoencoder.quantizer.0.num_codes=32"]
    config = compose("run", overrides, directory=folder)
    check_node("autoencoder", config["autoencoder"])
    assert build(config["autoencoder"]).num_codes == (32, 625)
