"""Checkpoints on disk."""

import logging
from functools import partial

import pytest
import torch
from torch import nn

from frido.contracts.errors import FridoError
from frido.engine import checkpoint, optimizer_state
from frido.engine.checkpoint import Checkpoint
from tests.engine.toys import newest


def some(images_seen: int) -> Checkpoint:
    weights = {"weight": torch.full((2, 2), float(images_seen)), "count": torch.tensor(images_seen)}
    averaged = {name: tensor / 2 for name, tensor in weights.items()}
    return Checkpoint(
        images_seen, weights, {"half": averaged}, {"phase.0.step": torch.tensor(1.0)}, {"window": {"a": 0.1}}
    )


def names(directory) -> list[int]:
    return sorted(int(path.name) for path in (directory / "checkpoints").iterdir())


def test_what_was_written_is_read(tmp_path):
    path = checkpoint.write(tmp_path, some(8), keep=newest(1))
    found = checkpoint.read(path)
    assert found.images_seen == 8 and found.state == {"window": {"a": 0.1}}
    torch.testing.assert_close(found.weights, some(8).weights, atol=0, rtol=0)
    torch.testing.assert_close(found.averages, some(8).averages, atol=0, rtol=0)
    torch.testing.assert_close(found.optimizers, some(8).optimizers, atol=0, rtol=0)


def test_newest_are_kept(tmp_path):
    for images in (8, 16, 24, 1000):
        checkpoint.write(tmp_path, some(images), keep=newest(2))
    assert names(tmp_path) == [24, 1000]


def test_damaged_one_ahead_does_not_push_out_the_new_one(tmp_path):
    for images in (8, 32):
        checkpoint.write(tmp_path, some(images), keep=newest(2))
    (tmp_path / "checkpoints" / f"{32:012d}" / "manifest.json").unlink()
    assert checkpoint.latest(tmp_path).name == f"{8:012d}"
    checkpoint.write(tmp_path, some(16), keep=newest(1))
    assert checkpoint.latest(tmp_path).name == f"{16:012d}"


def test_all_damaged_starts_over_and_says_so(tmp_path, caplog):
    path = checkpoint.write(tmp_path, some(8), keep=newest(2))
    (path / "manifest.json").write_text("{}")
    with caplog.at_level(logging.WARNING):
        assert checkpoint.latest(tmp_path) is None
    assert str(path) in caplog.text


def test_modules_under_two_names_are_kept_under_both(tmp_path):
    shared = nn.Linear(2, 2)
    model = nn.ModuleDict({"one": shared, "two": nn.Sequential(shared)})
    state = Checkpoint(8, model.state_dict(), {}, {}, {})
    checkpoint.write(tmp_path, state, keep=newest(1))
    model.two[0].weight.data.zero_()
    assert checkpoint.load_weights(model, tmp_path, average="raw") == 8
    assert model.one.weight.abs().sum() > 0


def test_weights_for_use(tmp_path):
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(2, 2))
    model.register_buffer("count", torch.tensor(0.0))
    checkpoint.write(tmp_path, some(8), keep=newest(1))
    checkpoint.load_weights(model, tmp_path, average="half")
    assert model.weight[0, 0] == 4
    checkpoint.load_weights(model, tmp_path, average="raw")
    assert model.weight[0, 0] == 8


def test_another_model_is_refused(tmp_path):
    checkpoint.write(tmp_path, some(8), keep=newest(1))
    with pytest.raises(FridoError, match="bias"):
        checkpoint.load_weights(nn.Linear(2, 2), tmp_path, average="half")


def test_nothing_there(tmp_path):
    with pytest.raises(FridoError, match="no undamaged checkpoint"):
        checkpoint.load_weights(nn.Linear(2, 2), tmp_path, average="half")


OPTIMIZERS = [
    partial(torch.optim.AdamW, lr=0.1),
    partial(torch.optim.Adam, lr=0.1, betas=(0.5, 0.9), fused=True),
    partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    partial(torch.optim.SGD, lr=0.1),
    partial(torch.optim.NAdam, lr=0.1),
]


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_optimizer_continues_bit_for_bit(tmp_path, make):
    def step(parameter, optimizer, seed):
        parameter.grad = torch.randn(3, generator=torch.Generator().manual_seed(seed))
        optimizer.step()

    one = nn.Parameter(torch.ones(3))
    first = make([one])
    for seed in (0, 1):
        step(one, first, seed)
    first.param_groups[0]["lr"] = 0.3  # as a schedule would

    two = nn.Parameter(one.detach().clone())
    second = make([two])
    tensors, plain = optimizer_state.take(first)
    path = checkpoint.write(tmp_path, Checkpoint(1, {}, {}, tensors, {"plain": plain}), keep=newest(1))
    found = checkpoint.read(path)
    optimizer_state.put(second, found.optimizers, found.state["plain"])
    assert second.param_groups[0]["lr"] == 0.3
    for parameter, optimizer in ((one, first), (two, second)):
        step(parameter, optimizer, 2)
    assert torch.equal(one, two)
