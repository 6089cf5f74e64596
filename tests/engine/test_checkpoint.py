"""Checkpoints on disk."""

import logging
import shutil
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


FILES = ["ema.half.safetensors", "manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"]


def test_these_are_the_files(tmp_path):
    assert sorted(file.name for file in checkpoint.write(tmp_path, some(8), keep=newest(1)).iterdir()) == FILES


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def unread(file):
    """Root reads whatever its mode is; nobody reads a folder."""
    file.unlink()
    file.mkdir()


DAMAGES = {
    "flipped": flip,
    "short": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "empty": lambda file: file.write_bytes(b""),
    "missing": lambda file: file.unlink(),
    "unreadable": unread,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_its_checkpoint_skipped(tmp_path, caplog, name, damage):
    before, path = (checkpoint.write(tmp_path, some(images), keep=newest(2)) for images in (8, 16))
    DAMAGES[damage](path / name)
    if name == "manifest.json" and damage == "short":  # it lacks its line end, and nothing that it says
        assert checkpoint.latest(tmp_path) == path
        return
    with caplog.at_level(logging.WARNING):
        assert checkpoint.latest(tmp_path) == before
    assert str(path) in caplog.text and name in caplog.text


def test_every_bit_of_a_manifest_counts(tmp_path):
    file = checkpoint.write(tmp_path, some(8), keep=newest(1)) / "manifest.json"
    content = file.read_bytes()
    for place in range(0, len(content) - 1, 7):
        for bit in range(8):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            assert checkpoint.find_damage(file.parent) is not None, (place, bit)


def test_a_file_that_no_manifest_names_is_damage(tmp_path):
    """It would be read as one more average."""
    path = checkpoint.write(tmp_path, some(8), keep=newest(1))
    shutil.copy(path / "ema.half.safetensors", path / "ema.third.safetensors")
    assert checkpoint.find_damage(path) == "manifest.json does not name ema.third.safetensors"


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
