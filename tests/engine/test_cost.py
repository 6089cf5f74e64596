"""What a step costs is known before it is taken: operations by formulas, memory as a real step takes it."""

from functools import partial

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from frido.contracts.context import Context, ContextWidths
from frido.contracts.phase import Phase
from frido.engine.counting import memory
from frido.engine.counting.cost import flops_per_image, of_call, of_step
from frido.engine.counting.ledger import Ledger
from frido.engine.counting.without_values import ACCELERATOR, CPU, WithoutValues, WithoutWeights
from frido.engine.precision import autocast
from tests.denoisers import options
from tests.engine.toys import ToyStream, ToyTask

CUDA = torch.device("cuda")


def cost(module, *shapes, device=CPU):
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    return of_call([module], lambda copies, _: copies[0](*inputs), precision="fp32", device=device)


class Attention(nn.Module):
    def forward(self, queries, keys, values):
        return F.scaled_dot_product_attention(queries, keys, values)


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_operations_of_known_layers(device):
    count = partial(cost, device=device)
    assert count(nn.Linear(5, 7), (3, 5)).operations == 2 * 3 * 5 * 7
    assert count(nn.Conv2d(4, 6, 3, padding=1), (2, 4, 8, 8)).operations == 2 * 2 * 64 * 6 * 4 * 9
    assert count(nn.Conv2d(4, 6, 3, stride=2, padding=1), (2, 4, 8, 8)).operations == 2 * 2 * 16 * 6 * 4 * 9
    assert count(Attention(), (2, 3, 16, 8), (2, 3, 10, 8), (2, 3, 10, 8)).operations == 2 * 2 * 2 * 3 * 16 * 10 * 8


class Linear(Phase):
    name = "linear"

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def trained(self):
        return self.parameters()

    def forward(self, batch):
        return {"loss": self.layers(batch.images.flatten(1)).sum()}


def test_a_backward_pass_differentiates_weights_and_all_inputs_but_the_first():
    (found,) = of_step([Linear(nn.Linear(192, 8), nn.Linear(8, 4))], ToyStream().at(0), precision="fp32", device=CPU)
    first, second = 2 * 192 * 8, 2 * 8 * 4
    assert (found.forward, found.backward) == (first + second, first + 2 * second)
    batch = ToyStream().at(0)
    total = flops_per_image([Linear(nn.Linear(192, 8), nn.Linear(8, 4))], batch, precision="fp32", device=CPU)
    assert total == found.forward + found.backward


@pytest.fixture(scope="module")
def published():
    """The published PyU-Net f16f8."""
    with WithoutWeights():
        return options.make(options.node("denoiser", "pyunet_f16f8"))(
            channels=(4, 4), context=ContextWidths(tokens=640, map=0, pooled=0), tells_level=False
        )


@pytest.mark.parametrize(
    ("layout", "scale", "gflop"),
    [
        ("stacked", 0, 52.8),  # as measured on the official code
        ("stacked", 1, 84.8),
        ("native", 0, 14.7),  # a quarter of the cells, and the same tokens
    ],
)
def test_operations_of_the_published_network(published, layout, scale, gflop):
    grids, own = options.build("diffusion/layout", layout), [(4, 16, 16), (4, 32, 32)]
    shapes = grids.shapes(own)

    def call(copies, _):
        latents = [torch.empty(1, *shape, device="meta") for shape in shapes[: scale + 1]]
        coarse = grids.coarse(tuple(latents[:-1]), own=own)
        context = Context(tokens=torch.empty(1, 77, 640, device="meta"))
        condition = copies[0].condition(scale=scale, coarse=coarse, context=context)
        copies[0](latents[-1], torch.zeros(1), condition)

    assert round(of_call([published], call, precision="fp32", device=CPU).operations / 1e9, 1) == gflop


class Block(Phase):
    """Convolutions, norms and attention, which autocast treats differently."""

    name = "block"

    def __init__(self, *, checkpointing=False):
        super().__init__()
        self.into, self.out = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 3, 3, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(8, 32) for _ in range(3))
        self.convolutions = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(3))
        self.project = nn.Linear(32, 96)
        self.checkpointing = checkpointing

    def trained(self):
        return self.parameters()

    def layer(self, hidden, norm, convolution):
        hidden = hidden + convolution(F.silu(norm(hidden)))
        queries, keys, values = self.project(hidden.flatten(2).transpose(1, 2)).unsqueeze(1).chunk(3, dim=-1)
        attended = F.scaled_dot_product_attention(queries.contiguous(), keys.contiguous(), values.contiguous())
        return hidden + F.dropout(attended, 0.1).squeeze(1).transpose(1, 2).view_as(hidden)

    def forward(self, batch):
        hidden = self.into(F.interpolate(batch.images, scale_factor=2))
        for parts in zip(self.norms, self.convolutions, strict=True):
            run = partial(torch.utils.checkpoint.checkpoint, use_reentrant=False) if self.checkpointing else _call
            hidden = run(self.layer, hidden, *parts)
        return {"loss": (self.out(hidden).float() - 1).square().mean()}


def _call(function, *args):
    return function(*args)


def real(phase, batch, precision):
    """Take a step; return operations of both passes for an image, and bytes, by the same names as a cost."""
    standing = [*phase.parameters(), *phase.buffers(), batch.images]
    with Ledger(standing=standing, device="cpu") as ledger:
        with autocast(precision, CPU):
            loss = phase(batch)["loss"]
        held = ledger.live
        loss.backward()
    inputs = batch.images.nbytes
    return ledger.forward / batch.size, ledger.backward / batch.size, held, ledger.peak + inputs


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_without_values_costs_what_a_real_one_does(precision, checkpointing):
    phase, batch = Block(checkpointing=checkpointing), ToyStream().at(0)
    (found,) = of_step([phase], batch, precision=precision, device=CPU)
    assert found[1:] == pytest.approx(real(phase, batch, precision), rel=0.03)


def test_memory_is_what_the_allocator_gives():
    phase, batch = Block(), ToyStream(batch=32).at(0)
    (found,) = of_step([phase], batch, precision="fp32", device=CPU)
    with torch.profiler.profile(profile_memory=True) as profile:
        phase(batch)["loss"].backward()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    alive = torch.tensor([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]).cumsum(0)
    assert found.peak == pytest.approx(int(alive.max()) + batch.images.nbytes, rel=0.05)


def test_checkpointing_takes_less_memory_and_more_operations():
    (kept,), (again,) = (
        of_step([Block(checkpointing=on)], ToyStream().at(0), precision="bf16", device=CUDA) for on in (False, True)
    )
    assert again.held < kept.held / 2 and again.peak < kept.peak
    assert again.forward == kept.forward and again.backward > kept.backward + 0.8 * kept.forward


def test_accumulating_keeps_gradients_beside_the_next_pass():
    phase, batch = Linear(nn.Linear(192, 192)), ToyStream().at(0)
    costs = [of_step([phase], batch, precision="fp32", device=CPU, passes=passes)[0] for passes in (1, 2)]
    gradients = memory.size_of(phase.parameters())
    assert costs[1].peak - costs[0].peak == pytest.approx(gradients, rel=0.05)
    assert costs[0].forward == costs[1].forward and costs[0].backward == costs[1].backward


def test_two_phases_hold_each_others_gradients():
    task = ToyTask()
    alone, *_ = of_step(task.phases()[:1], ToyStream().at(0), precision="fp32", device=CPU)
    both, _ = of_step(task.phases(), ToyStream().at(0), precision="fp32", device=CPU)
    critic = list(task.critic.parameters())
    own = sum(parameter.nbytes for parameter in critic)
    # Alone, nobody says that the critic's weights need no gradient; then they get one.
    assert both.peak == pytest.approx(alone.peak, abs=own) and both.backward < alone.backward


def test_the_training_does_not_feel_it():
    task = ToyTask()
    phases, batch = task.phases(), ToyStream().at(0)
    before = {name: tensor.clone() for name, tensor in task.state_dict().items()}
    generator = torch.get_rng_state()
    of_step(phases, batch, precision="bf16", device=CUDA, passes=2)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(tensor, before[name]) for name, tensor in task.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in task.parameters())
    assert all(tensor.device == CPU for tensor in (batch.images, batch.positions))


OPERATIONS = {
    "conv2d": lambda x, low: F.conv2d(x, torch.ones(4, 4, 1, 1, device=x.device)),
    "linear": lambda x, low: F.linear(x, torch.ones(8, 8, device=x.device)),
    "matmul": lambda x, low: x @ x,
    "baddbmm": lambda x, low: torch.baddbmm(x[0], x[0], x[0]),
    "einsum": lambda x, low: torch.einsum("bcij,bcjk->bcik", x, x),
    "group_norm": lambda x, low: F.group_norm(low, 2),
    "layer_norm": lambda x, low: F.layer_norm(low, (8,)),
    "normalize": lambda x, low: F.normalize(low),
    "batch_norm": lambda x, low: F.batch_norm(low, None, None, training=True),
    "softmax": lambda x, low: F.softmax(low, -1),
    "method_softmax": lambda x, low: low.softmax(-1),
    "sum": lambda x, low: low.sum(),
    "mean": lambda x, low: low.mean(),
    "pow": lambda x, low: low**2,
    "square": lambda x, low: low.square(),
    "exp": lambda x, low: low.exp(),
    "rsqrt": lambda x, low: low.rsqrt(),
    "reciprocal": lambda x, low: 1 / low,
    "mse_loss": lambda x, low: F.mse_loss(low, low),
    "l1_loss": lambda x, low: F.l1_loss(low, low),
    "softplus": lambda x, low: F.softplus(low),
    "silu": lambda x, low: F.silu(low),
    "gelu": lambda x, low: F.gelu(low),
    "interpolate": lambda x, low: F.interpolate(low, scale_factor=2),
    "avg_pool2d": lambda x, low: F.avg_pool2d(low, 2),
    "cat": lambda x, low: torch.cat([x, low]),
    "cat_low": lambda x, low: torch.cat([low, low]),
    "stack": lambda x, low: torch.stack([x, low]),
    "add": lambda x, low: x + low,
    "dropout": lambda x, low: F.dropout(low, 0.5),
    "pad": lambda x, low: F.pad(low, (1, 1)),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("place", [CPU, ACCELERATOR])
def test_autocast_casts_as_torch_does(name, place):
    kind = "cpu" if place == CPU else "cuda"  # what torch knows without a GPU: the types of results there

    def result(device):
        full = torch.ones(2, 4, 8, 8, device=device)
        return OPERATIONS[name](full, full.to(torch.bfloat16)).dtype

    with FakeTensorMode():
        torch.set_autocast_enabled(kind, True)
        torch.set_autocast_dtype(kind, torch.bfloat16)
        try:
            expected = result(kind)
        finally:
            torch.set_autocast_enabled(kind, False)
            torch.clear_autocast_cache()
    with WithoutValues(place) as world, world.autocast("bf16"):
        assert result("meta") == expected


def test_tensors_say_where_they_would_be():
    with WithoutValues(ACCELERATOR):
        tensor = torch.empty(2, device="meta")
        assert tensor.device == ACCELERATOR and (tensor + torch.ones(2)).is_meta
        assert torch.zeros(2, device=tensor.device).is_meta
        assert tensor.cpu().is_meta and not bool(tensor.any())
        assert torch.ones(2).sum().item() == 2  # what has values keeps them


@pytest.mark.parametrize(
    ("make", "tensors"),
    [(torch.optim.Adam, 2), (torch.optim.SGD, 0), (partial(torch.optim.SGD, momentum=0.9), 1)],
)
def test_memory_of_optimizers(make, tensors):
    parameters = [nn.Parameter(torch.zeros(3, 5)), nn.Parameter(torch.zeros(7))]
    size = memory.optimizer_size(partial(make, lr=0.1), parameters)
    assert size == tensors * 22 * 4 + (8 if make is torch.optim.Adam else 0)  # and its counts of steps


def test_what_stands():
    task = ToyTask()
    model, phases = task, task.phases()
    found = memory.standing(model, phases, averages=2, optimizer=partial(torch.optim.Adam, lr=0.1), world_size=2)
    state = sum(tensor.nbytes for tensor in task.state_dict().values())
    parameters = sum(parameter.nbytes for parameter in task.parameters())
    assert found.weights == state and found.averages == 2 * state and found.exchange == parameters
    assert found.optimizer == 2 * parameters + 4 * len(list(task.parameters()))
    assert memory.standing(model, phases, averages=0, optimizer=torch.optim.SGD, world_size=1).exchange == 0


def test_the_largest_micro_batch_that_fits():
    phase = Block()

    def costs(size):
        return of_step([phase], ToyStream(batch=size).at(0), precision="fp32", device=CPU)

    lines = memory.lines(costs(2), costs(4), images=(2, 4))
    assert lines["block"].at(16) == pytest.approx(costs(16)[0].peak, rel=0.01)
    sizes, room = memory.divisors(24), costs(8)[0].peak
    assert sizes == [1, 2, 3, 4, 6, 8, 12, 24]
    assert memory.most(lines, room=room * 1.01, among=sizes) == 8
    assert memory.most(lines, room=room * 0.99, among=sizes) == 6
    assert memory.most(lines, room=0, among=sizes) is None
