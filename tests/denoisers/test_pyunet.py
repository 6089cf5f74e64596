"""PyU-Net: what it is told, what a condition holds, what scales share, every kind of block."""

import pytest
import torch

from frido.contracts.context import Context, ContextWidths
from frido.contracts.denoiser import concatenate
from frido.contracts.errors import FridoError
from tests.denoisers import options
from tests.denoisers.pyunets import awake, build, draw, inputs, predict


@pytest.fixture(params=options.names("denoiser/gate"))
def gate(request):
    return request.param


@pytest.fixture(params=options.names("denoiser/trunk"))
def trunk(request):
    return request.param


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
    other = predict(coarse=(coarse[0] + torch.randn_like(coarse[0]),))
    assert torch.equal(plain, other) == (network.gate.enters == "nowhere")
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
        if ".gate.s" in name or ".cross_attention.key" in name or ".cross_attention.value" in name:
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


@pytest.mark.parametrize("trunk", ["shared", "per_scale", "partly_shared"])
def test_what_scales_share(trunk):
    """All, nothing, or all but the outermost level."""
    network = build(trunk=trunk, multipliers=[1, 2, 2])
    shared = {"middle": [], "down": [], "up": []}
    for path, found in shared.items():
        for slot in getattr(network.trunk, path):
            found.append(slot.at(0) is slot.at(1))
            if not found[-1]:
                assert not set(map(id, slot.at(0).parameters())) & set(map(id, slot.at(1).parameters()))
    expected = {
        "shared": {"down": [True] * 5, "middle": [True] * 2, "up": [True] * 6},
        "per_scale": {"down": [False] * 5, "middle": [False] * 2, "up": [False] * 6},
        # a residual block, the way down; inner levels; the outermost level's blocks
        "partly_shared": {
            "down": [False, False, True, True, True],
            "middle": [True] * 2,
            "up": [True] * 4 + [False] * 2,
        },
    }
    assert shared == expected[trunk]


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
    """By number, or by width: then wide levels have more of them."""

    def attention(**heads):
        network = build(attention=options.node("denoiser/attention", "transformer") | heads)
        _, coarse, context = inputs(1)
        found = network.trunk.middle[0].at(0).attention.layers[0].self_attention
        condition = network.condition(scale=1, coarse=coarse, context=context)
        assert condition.attention[0][0].shape[1] == found.heads
        return found

    assert attention(num_heads=1, head_channels=None).heads == 1
    assert attention(num_heads=4, head_channels=None).heads == 4
    narrow = attention(num_heads=None, head_channels=8)
    assert narrow.heads * 8 == narrow.query.out_features == 64
    for wrong in ({"num_heads": 2, "head_channels": 8}, {"num_heads": None, "head_channels": None}, {"num_heads": 7}):
        with pytest.raises(FridoError, match=r"denoiser\.attention"):
            attention(**({"head_channels": None} | wrong))


def test_coarse_latents_must_be_those_of_all_coarser_scales():
    _, _, context = inputs(1)
    with pytest.raises(AssertionError, match="scale 1 needs 1"):
        build().condition(scale=1, coarse=(), context=context)


@pytest.mark.parametrize("parts", ["map", "pooled", "tokens map", "tokens map pooled"])
def test_every_part_of_a_context_comes_in(parts):
    """By cross-attention, by concatenation, added to the embedding, or several at once."""
    widths = ContextWidths(
        *(width if part in parts else 0 for part, width in (("tokens", 24), ("map", 2), ("pooled", 5)))
    )
    network = awake(build(widths=widths)).eval()
    full = {"tokens": draw(2, 5, 24), "map": draw(2, 2, 8, 8), "pooled": draw(2, 5)}
    context = Context(**{part: value for part, value in full.items() if part in parts})
    for scale in range(2):
        with torch.no_grad():
            plain = predict(network, scale, context)
            for part in parts.split():
                changed = context._replace(**{part: full[part] + draw(*full[part].shape, seed=4)})
                assert not torch.allclose(plain, predict(network, scale, changed))
    with pytest.raises(AssertionError, match="built for"):
        predict(network, 0, Context())


def test_maps_are_brought_to_the_grid():
    """Averaged on coarser grids, repeated on finer ones."""
    network = awake(build(widths=ContextWidths(tokens=0, map=1, pooled=0))).eval()
    fine = draw(2, 1, 8, 8)
    coarse = torch.nn.functional.avg_pool2d(fine, 2)
    with torch.no_grad():
        assert torch.equal(predict(network, 0, Context(map=fine)), predict(network, 0, Context(map=coarse)))
        repeated = coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
        assert torch.equal(predict(network, 1, Context(map=coarse)), predict(network, 1, Context(map=repeated)))


def test_is_told_the_noise_in_the_coarse_latents():
    network = build(level=True)
    _, _, context = inputs(1)
    low, high = torch.tensor([0.1, 0.1]), torch.tensor([0.9, 0.1])
    start = network.condition(scale=1, coarse=inputs(1)[1], context=context, level=low).embedding
    assert torch.equal(start[0], network.scale_embedding.weight[1])  # says nothing before it is trained
    with torch.no_grad():
        awake(network).eval()
        one, other = (predict(network, 1, context, level=level) for level in (low, high))
    assert not torch.allclose(one[0], other[0])
    assert torch.equal(one[1], other[1])
    with pytest.raises(AssertionError, match="told the share of noise"):
        predict(network, 1, context)
    assert build(level=True, channels=(4,)).level_embedding is None  # nothing is coarser


@pytest.mark.parametrize("num_scales", [1, 2, 3, 4])
def test_one_to_four_scales(num_scales, trunk):
    pyramid(num_scales, "spade", trunk)


def test_every_gate_takes_several_coarser_scales(gate):
    pyramid(3, gate, "shared")


def pyramid(num_scales, gate, trunk):
    """Predict and train every scale of a pyramid."""
    channels = (2, 3, 4, 5)[:num_scales]
    network = awake(build(gate, trunk, channels=channels, context_width=0))
    total = 0.0
    for scale in range(num_scales):
        side = 4 * 2**scale
        coarse = tuple(draw(2, channels[s], side, side) for s in range(scale))
        condition = network.condition(scale=scale, coarse=coarse, context=Context())
        predicted = network(draw(2, channels[scale], side, side), torch.zeros(2), condition)
        assert predicted.shape == (2, channels[scale], side, side)
        total = total + predicted.square().sum()
    total.backward()
    assert [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize("resampling", options.names("denoiser/resampling"))
@pytest.mark.parametrize("injection", options.names("denoiser/injection"))
@pytest.mark.parametrize("attention", ["transformer", "plain"])
def test_other_blocks(gate, attention, injection, resampling):
    """Every kind of block goes with every gate, and trains."""
    parts = {"attention": attention, "injection": injection, "resampling": resampling}
    network = awake(
        build(gate, context_width=0, **{part: options.node(f"denoiser/{part}", name) for part, name in parts.items()})
    )
    total = sum(predict(network, scale, Context()).square().sum() for scale in range(2))
    total.backward()
    assert [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None] == []


def test_plain_attention_takes_no_tokens():
    with pytest.raises(FridoError, match="denoiser/attention"):
        build(attention=options.node("denoiser/attention", "plain"))
