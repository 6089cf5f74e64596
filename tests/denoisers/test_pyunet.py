"""PyU-Net: published sizes, what a condition holds, what scales share."""

import math

import pytest
import torch

from frido.contracts.context import Context
from frido.contracts.denoiser import concatenate
from tests.denoisers import options

CHANNELS = (3, 4)
GRIDS = (4, 8)


def build(gate="spade", trunk="shared", channels=CHANNELS, context_width=24, option="pyunet", **changes):
    node = options.node("denoiser", option) | changes
    node["gate"], node["trunk"] = options.node("denoiser/gate", gate), options.node("denoiser/trunk", trunk)
    return options.make(node)(channels=channels, context_width=context_width)


def awake(network):
    """Replace every zero of the initialisation, so that outputs depend on everything."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                spread = 1 / math.sqrt(parameter[0].numel())
                parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return network


def inputs(scale, batch=2, seed=0, grid=None):
    generator = torch.Generator().manual_seed(seed)
    side = grid or GRIDS[scale]

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    coarse = tuple(draw(batch, CHANNELS[s], side, side) for s in range(scale))
    mask = torch.ones(batch, 5, dtype=torch.bool)
    mask[:, 3:] = False
    return draw(batch, CHANNELS[scale], side, side), coarse, Context(tokens=draw(batch, 5, 24), mask=mask)


@pytest.fixture(params=options.names("denoiser/gate"))
def gate(request):
    return request.param


@pytest.fixture(params=options.names("denoiser/trunk"))
def trunk(request):
    return request.param


@pytest.mark.parametrize(("trunk", "millions"), [("shared", 511.678), ("per_scale", 1022.58)])
def test_published_size(trunk, millions):
    with torch.device("meta"):
        network = build("spade_f16f8", trunk, channels=(4, 4), context_width=640, option="pyunet_f16f8")
    count = sum(parameter.numel() for parameter in network.parameters())
    assert round(count / 1e6, 3 if trunk == "shared" else 2) == millions


def test_published_share_of_gates():
    """108.0 M of them are gates (reference: measured on the official code)."""
    with torch.device("meta"):
        network = build("spade_f16f8", channels=(4, 4), context_width=640, option="pyunet_f16f8")
    gates = sum(p.numel() for norm in network.trunk.at(0).norms(0) for p in norm.gate.parameters())
    assert round(gates / 1e6, 1) == 108.0
    assert len(network.trunk.at(0).norms(0)) == 60


def test_every_scale_predicts_its_own_shape(gate, trunk):
    network = build(gate, trunk)
    for scale in range(2):
        noisy, coarse, context = inputs(scale)
        condition = network.condition(scale=scale, coarse=coarse, context=context)
        assert network(noisy, torch.tensor([3.0, 700.5]), condition).shape == noisy.shape


def test_every_input_matters(gate, trunk):
    network = awake(build(gate, trunk)).eval()
    noisy, coarse, context = inputs(1)
    time = torch.tensor([10.0, 500.0])

    def predict(noisy=noisy, time=time, coarse=coarse, context=context):
        with torch.no_grad():
            return network(noisy, time, network.condition(scale=1, coarse=coarse, context=context))

    plain = predict()
    assert not torch.allclose(plain, predict(noisy=noisy + 1))
    assert not torch.allclose(plain, predict(time=time + 100))
    assert not torch.allclose(plain, predict(coarse=(coarse[0] + torch.randn_like(coarse[0]),)))
    assert not torch.allclose(plain, predict(context=context._replace(tokens=context.tokens.flip(-1))))
    padding = context.tokens.clone()
    padding[:, 3:] = 100.0
    torch.testing.assert_close(plain, predict(context=context._replace(tokens=padding)), atol=0, rtol=0)


def test_missing_mask_attends_to_all():
    network = awake(build()).eval()
    noisy, _, context = inputs(0)
    everywhere = torch.ones_like(context.mask)
    time = torch.zeros(2)
    with torch.no_grad():
        outputs = [
            network(noisy, time, network.condition(scale=0, coarse=(), context=context._replace(mask=mask)))
            for mask in (None, everywhere, context.mask)
        ]
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(outputs[0], outputs[2])


def test_one_condition_serves_a_chain_bit_for_bit(gate, trunk):
    """A condition made once gives what one made for each call gives, and calls leave it unchanged."""
    network = awake(build(gate, trunk)).eval()
    noisy, coarse, context = inputs(1)
    with torch.no_grad():
        kept = network.condition(scale=1, coarse=coarse, context=context)
        for time in (torch.full((2,), 900.0), torch.full((2,), 1.0)):
            fresh = network.condition(scale=1, coarse=coarse, context=context)
            assert torch.equal(network(noisy, time, kept), network(noisy, time, fresh))


def test_forward_computes_nothing_of_the_condition():
    """Gates, keys and values run in `condition` only; a sampler would otherwise pay for them every step."""
    network = build()
    noisy, coarse, context = inputs(1)
    condition = network.condition(scale=1, coarse=coarse, context=context)
    called = []
    for name, module in network.named_modules():
        if ".gate" in name or ".cross_attention.key" in name or ".cross_attention.value" in name:
            module.register_forward_hook(lambda *_, name=name: called.append(name))
    network(noisy, torch.zeros(2), condition)
    assert called == []
    network.condition(scale=1, coarse=coarse, context=context)
    assert called


def test_conditions_concatenate(gate):
    network = awake(build(gate)).eval()
    time = torch.tensor([5.0, 600.0])
    parts = [inputs(1, seed=seed) for seed in (0, 1)]
    with torch.no_grad():
        conditions = [network.condition(scale=1, coarse=coarse, context=context) for _, coarse, context in parts]
        alone = [network(noisy, time, c) for (noisy, _, _), c in zip(parts, conditions, strict=True)]
        together = network(torch.cat([n for n, _, _ in parts]), time.repeat(2), concatenate(conditions))
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_unconditional():
    """Without a context there is no cross-attention, and the coarsest scale needs to know nothing at all."""
    network = awake(build(context_width=0)).eval()
    assert not any("cross" in name for name, _ in network.named_parameters())
    noisy, coarse, _ = inputs(1)
    condition = network.condition(scale=1, coarse=coarse, context=Context())
    assert condition.attention == () and condition.mask is None
    network(noisy, torch.zeros(2), condition)
    noisy, _, _ = inputs(0, batch=3)
    assert network(noisy, torch.zeros(3), network.condition(scale=0, coarse=(), context=Context())).shape == noisy.shape


def test_per_scale_trunks_share_nothing():
    network = build(trunk="per_scale")
    coarse, fine = (set(map(id, network.trunk.at(scale).parameters())) for scale in range(2))
    assert not coarse & fine
    shared = build(trunk="shared")
    assert shared.trunk.at(0) is shared.trunk.at(1)


def test_training_reaches_every_parameter(gate, trunk):
    """DDP waits for the gradient of each parameter that asks for one."""
    network = awake(build(gate, trunk))
    total = 0.0
    for scale in range(2):
        noisy, coarse, context = inputs(scale)
        condition = network.condition(scale=scale, coarse=coarse, context=context)
        total = total + network(noisy, torch.tensor([5.0, 600.0]), condition).square().sum()
    total.backward()
    idle = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []


def test_starts_from_zero_output():
    network = build()
    noisy, coarse, context = inputs(1)
    condition = network.condition(scale=1, coarse=coarse, context=context)
    assert network(noisy, torch.zeros(2), condition).abs().max() == 0


def test_heads():
    single, several = build(head_channels=None), build(head_channels=8)
    attention = [net.trunk.at(0).middle[0].transformer.layers[0].self_attention for net in (single, several)]
    assert attention[0].heads == 1
    assert attention[1].heads * 8 == attention[1].query.out_features
    _, coarse, context = inputs(1)
    condition = several.condition(scale=1, coarse=coarse, context=context)
    assert condition.attention[0][0].shape[1] == attention[1].heads


def test_coarse_latents_must_be_those_of_all_coarser_scales():
    _, _, context = inputs(1)
    with pytest.raises(AssertionError, match="scale 1 needs 1"):
        build().condition(scale=1, coarse=(), context=context)
