"""What every autoencoder promises the rest of the house, for each option there is, made narrow enough to run."""

import copy

import pytest
import torch
from safetensors.torch import load, save

from frido.contracts.errors import FridoError
from tests.autoencoders import options

NAMES = options.names("autoencoder")
TRAINED = [name for name in NAMES if name != "identity"]


def images(model, batch=2, *, seed=0):
    side = max(16, 2 * model.factors[0])
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def models():
    return {}


@pytest.fixture
def model(request, models):
    """A model that has seen a batch, so that codebooks lie among its latents; a test may do with it what it likes."""
    name = request.param
    if name not in models:
        made = options.light(f"autoencoder={name}")
        torch.manual_seed(0)
        with torch.no_grad():
            made.train()(images(made, 8))
        models[name] = made.eval()
    return copy.deepcopy(models[name])


every = pytest.mark.parametrize("model", NAMES, indirect=True)
trained = pytest.mark.parametrize("model", TRAINED, indirect=True)


@every
@torch.no_grad()
def test_shapes_follow_the_factors(model):
    batch = images(model)
    made, pyramid = model(batch), model.encode(batch)
    assert len(model.factors) == len(model.channels) == len(model.num_codes) == len(model.scale_factors)
    for latents, codes, channels, factor, num_codes in zip(
        pyramid, made.codes, model.channels, model.factors, model.num_codes, strict=True
    ):
        side = batch.shape[-1] // factor
        assert latents.shape == (2, channels, side, side)
        assert codes.shape == (2, codes.shape[1], side, side)
        assert codes.dtype == torch.int64
        assert (codes.shape[1] == 0) == (num_codes == 0)
        assert ((codes >= 0) & (codes < num_codes)).all()
    assert made.images.shape == batch.shape
    assert made.latent_loss.shape == ()


@every
@torch.no_grad()
def test_encode_then_decode_is_the_reconstruction(model):
    batch = images(model)
    assert torch.equal(model.decode(model.encode(batch)), model(batch).images)


@every
@torch.no_grad()
def test_evaluation_is_a_function_and_changes_nothing(model):
    state = copy.deepcopy(model.state_dict())
    assert torch.equal(model(images(model)).images, model(images(model)).images)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


@every
@torch.no_grad()
def test_each_scale_alone(model):
    batch = images(model)
    made = model(batch)
    pictures = [made.alone(scale) for scale in range(len(model.factors))]
    assert all(picture.shape == batch.shape for picture in pictures)
    if len(pictures) == 1:
        assert torch.equal(pictures[0], made.images)
    else:
        assert not torch.allclose(pictures[0], pictures[1])


@every
@torch.no_grad()
def test_first_scales_are_decoded_with_nothing_in_place_of_the_finer_ones(model):
    model.calibrate([images(model, 4)])
    batch = images(model)
    pyramid, made = model.encode(batch), model(batch)
    torch.testing.assert_close(model.decode(pyramid[:1]), made.alone(0), atol=1e-4, rtol=1e-3)
    assert model.decode(pyramid[:1]).shape == batch.shape


@every
@torch.no_grad()
def test_codes_and_back(model):
    model.calibrate([images(model, 4)])
    pyramid = model.encode(images(model))
    codes = model.pyramid_to_codes(pyramid)
    assert [code.shape[1] == 0 for code in codes] == [num == 0 for num in model.num_codes]
    if 0 in model.num_codes:
        with pytest.raises(FridoError, match="codebook"):
            model.codes_to_pyramid(codes)
        return
    assert all(torch.equal(a, b) for a, b in zip(codes, model(images(model)).codes, strict=True))
    again = model.codes_to_pyramid(codes)
    assert all(torch.equal(a, b) for a, b in zip(model.pyramid_to_codes(again), codes, strict=True))
    torch.testing.assert_close(model.decode(again), model.decode(pyramid), atol=1e-5, rtol=1e-4)


@every
@torch.no_grad()
def test_calibration(model):
    batches = [images(model, 4, seed=seed) for seed in range(2)]
    before = model(batches[0]).images
    assert not model.calibrated
    model.calibrate(batches)
    assert model.calibrated
    scales = zip(*map(model.encode, batches), strict=True)
    deviations = torch.stack([torch.cat(latents).std() for latents in scales])
    torch.testing.assert_close(deviations, torch.ones(len(model.factors)), atol=1e-4, rtol=0)
    torch.testing.assert_close(model.decode(model.encode(batches[0])), before, atol=1e-4, rtol=1e-3)


@every
def test_every_parameter_learns(model):
    made = model.train()(images(model))
    if list(model.parameters()):
        (made.images.square().mean() + made.latent_loss).backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not idle, "DDP stops when a parameter has no gradient"


@trained
def test_last_layer_makes_the_image(model):
    made = model(images(model))
    (gradient,) = torch.autograd.grad(made.images.square().mean(), model.last_layer)
    assert gradient.any()


@trained
@torch.no_grad()
def test_bf16_autocast(model):
    batch = images(model)
    exact = model(batch).images
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made, pyramid = model(batch), model.encode(batch)
    assert made.images.dtype == made.latent_loss.dtype == torch.float32
    assert all(latents.dtype == torch.float32 for latents in pyramid)
    assert (made.images - exact).abs().mean() < 0.3 * exact.std()


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_saved_and_loaded_it_is_the_same(name):
    model, other = options.light(f"autoencoder={name}"), options.light(f"autoencoder={name}", seed=1)
    batch = images(model)
    model.train()(batch)
    model.calibrate([batch])
    other.load_state_dict(load(save(model.state_dict())))
    pyramid = model.eval().encode(batch)
    assert all(torch.equal(a, b) for a, b in zip(pyramid, other.eval().encode(batch), strict=True))
    assert torch.equal(model.decode(pyramid), other.decode(pyramid))
    assert other.calibrated


@pytest.mark.parametrize("name", NAMES)
def test_seed_makes_the_weights_and_nothing_else_does(name):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = options.light(f"autoencoder={name}", seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    second, other = options.light(f"autoencoder={name}", seed=3), options.light(f"autoencoder={name}", seed=4)
    assert first.seed == 3
    for (part, tensor), same, different in zip(
        first.state_dict().items(), second.state_dict().values(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(tensor, same), part
        assert tensor.unique().numel() == 1 or not torch.equal(tensor, different), part


@trained
def test_images_of_a_wrong_size(model):
    side = 2 * model.factors[0] + 1
    for call in (model.encode, model):
        with pytest.raises(FridoError, match=f"{side} x {side}") as refused:
            call(torch.zeros(1, 3, side, side))
        assert f"multiples of {model.factors[0]}" in refused.value.wanted
