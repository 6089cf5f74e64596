"""What is frozen stays as it is to the bit, and the rest trains as ever."""

from functools import partial

import pytest
import torch
from torch import nn

from frido.contracts.errors import FridoError
from frido.engine import checkpoint, optimizer_state
from frido.engine.freezing import freeze
from tests.engine.toys import BATCH, ToyStream, ToyTask, trainer

pytestmark = pytest.mark.usefixtures("one_thread")


def test_frozen_parameters_keep_their_bits_and_cost_no_state(tmp_path):
    """With weight decay and both players, whose steps set aside what the other trains."""
    task, before = ToyTask(), ToyTask().state_dict()
    frozen = ["generator.0.*", "critic.0.weight"]
    trained = trainer(
        tmp_path, task=task, frozen=frozen, optimizer=partial(torch.optim.AdamW, lr=1e-2, weight_decay=0.5)
    )
    trained.run()
    names = {"generator.0.weight", "generator.0.bias", "critic.0.weight"}
    found = checkpoint.read(checkpoint.latest(tmp_path))
    for name, parameter in task.named_parameters():
        assert torch.equal(parameter, before[name]) == (name in names), name
        assert parameter.requires_grad == (name not in names), name
    for name in names:
        assert torch.equal(found.averages["half_life"][name], before[name])
    assert task.generator.seen != 0  # a buffer
    for phase, count in (("generator", 2), ("critic", 3)):
        tensors, _ = optimizer_state.take(trained.optimizations[phase].optimizer)
        assert len({name.partition(".")[0] for name in tensors}) == count


def test_the_rest_gets_the_same_gradients(tmp_path):
    changes = {"optimizer": partial(torch.optim.SGD, lr=1.0), "precision": "fp32", "clip_norm": None}
    gradients = []
    for frozen in ([], ["generator.0.*"]):
        task = ToyTask(dropout=0.0)
        one = trainer(tmp_path, task=task, frozen=frozen, **changes)
        one.optimizations["generator"].step(ToyStream().at(0), images_seen=0)
        gradients.append(task.generator[3].weight.grad)
        assert (task.generator[0].weight.grad is None) == bool(frozen)
    assert torch.equal(*gradients)


@pytest.mark.parametrize(
    ("frozen", "said"),
    [
        (["generator.*"], "'generator'"),
        (["*"], "phase"),
        (["genrator.0.*"], r"generator\.0\.\*"),
        (["generator.seen"], "generator"),
        (["generator.0.*", "nothing"], "'nothing'"),
    ],
    ids=["a whole phase", "all", "misspelt", "a buffer", "one of two"],
)
def test_patterns_without_sense_are_refused(tmp_path, frozen, said):
    with pytest.raises(FridoError, match=said):
        trainer(tmp_path, frozen=frozen)


def test_weights_under_two_names_are_frozen_by_either():
    model = nn.ModuleDict({"one": nn.Linear(2, 2), "other": nn.Linear(2, 2)})
    model["tied"] = model["one"]
    freeze(model, [], ["tied.*"])
    assert not model["one"].weight.requires_grad and model["other"].weight.requires_grad


def test_a_resumed_training_stays_frozen(tmp_path):
    trainer(tmp_path / "quiet", frozen=["generator.0.*"]).run()
    with pytest.raises(ZeroDivisionError):
        crashing = {"during": lambda seen, _: {"one": 1 / (seen < 6 * BATCH)}}
        trainer(tmp_path / "run", frozen=["generator.0.*"], **crashing).run()
    trainer(tmp_path / "run", frozen=["generator.0.*"]).run()
    one, other = (checkpoint.read(checkpoint.latest(tmp_path / name)).weights for name in ("quiet", "run"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert torch.equal(one["generator.0.weight"], ToyTask().state_dict()["generator.0.weight"])
