"""One step is the step of the formula, however it is cut up; and what goes wrong stops it in time."""

import json
import math
import signal
from functools import partial

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.learning_rates.constant import Constant
from frido.engine.signals import Stopped
from tests.engine.toys import BATCH, Generating, ToyStream, ToyTask, trainer

DOUBLE = {"precision": "fp32", "clip_norm": None, "optimizer": partial(torch.optim.SGD, lr=1.0), "images": BATCH}
NO_WARMUP = {"schedule": Constant(warmup_images=0)}


pytestmark = pytest.mark.usefixtures("one_thread")


def after(directory, *, dropout: float = 0.0, **changes) -> dict[str, torch.Tensor]:
    """Return the weights after one step of plain gradient descent in float64."""
    task = ToyTask(dropout=dropout).double()
    trained = trainer(directory, task=task, stream=ToyStream(dtype=torch.float64), **(DOUBLE | NO_WARMUP | changes))
    trained.run()
    return dict(task.named_parameters())


def test_accumulation_changes_nothing(tmp_path):
    whole = after(tmp_path / "whole", micro_batch=None)
    for micro_batch in (1, 2, 4):
        parts = after(tmp_path / str(micro_batch), micro_batch=micro_batch)
        torch.testing.assert_close(parts, whole, atol=1e-12, rtol=0)


def test_step_is_rate_times_gradient(tmp_path):
    task = ToyTask(dropout=0.0).double()
    before = task.generator[0].weight.detach().clone()
    batch = ToyStream(dtype=torch.float64).at(0)
    gradient = torch.autograd.grad(Generating(task)(batch)["loss"], task.generator[0].weight)[0]
    moved = after(tmp_path, optimizer=partial(torch.optim.SGD, lr=0.25))["generator.0.weight"]
    torch.testing.assert_close(moved, before - 0.25 * gradient, atol=1e-12, rtol=0)


def test_schedule_moves_the_weights(tmp_path):
    """The first step of a warm-up has rate 0."""
    moved = after(tmp_path, schedule=Constant(warmup_images=10 * BATCH))
    torch.testing.assert_close(moved, dict(ToyTask(dropout=0.0).double().named_parameters()), atol=0, rtol=0)


def test_clipping_bounds_the_step(tmp_path):
    before = ToyTask(dropout=0.0).double().generator.state_dict()
    moved = after(tmp_path, clip_norm=0.01)
    squares = [
        (moved[f"generator.{name}"].detach() - value).square().sum() for name, value in before.items() if name != "seen"
    ]
    assert float(sum(squares)) == pytest.approx(1e-4, rel=1e-3)


def test_dropout_is_a_function_of_the_seed(tmp_path):
    one, again, other = (
        after(tmp_path / str(index), dropout=0.5, seed=seed)["generator.0.weight"]
        for index, seed in enumerate((1, 1, 2))
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_phase_leaves_no_gradient_on_the_others(tmp_path):
    """The critic's weights need no gradient in the generator's step; the generator still gets its own through it."""
    task = ToyTask()
    first = trainer(tmp_path, task=task).optimizations["generator"]
    first.step(ToyStream().at(0), images_seen=0)
    assert all(parameter.grad is None for parameter in task.critic.parameters())
    assert all(parameter.grad is not None for parameter in task.generator.parameters())
    assert all(parameter.requires_grad for parameter in task.parameters())


def test_learning_rate_is_logged_and_follows_the_schedule(tmp_path):
    trainer(tmp_path, log_every_images=BATCH).run()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    rates = [line["generator/learning_rate"] for line in lines]
    assert rates[0] == 0
    assert rates[1] == pytest.approx(0.5 * 1e-2 * 0.5 * (1 + math.cos(math.pi / 12)))
    assert rates[3:] == sorted(rates[3:], reverse=True)


def test_clock_times_are_not_in_the_metrics(tmp_path):
    trainer(tmp_path).run()
    assert "second" not in (tmp_path / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in (tmp_path / "timing.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [24, 48, 72, 96]
    assert all(line["generator/images_per_second"] > 0 for line in lines)


class Failing(Generating):
    """Returns a loss that is not finite for one sample, or finite with a gradient that is not."""

    def __init__(self, task: ToyTask, *, kind: str) -> None:
        super().__init__(task)
        self.kind = kind

    def forward(self, batch):
        losses = super().forward(batch)
        if 69 in batch.positions:
            if self.kind == "loss":
                losses["loss"] = losses["loss"] * float("nan")
            else:
                zero = self.generator[0].weight.sum() * 0
                losses["loss"] = losses["loss"] + zero.abs().sqrt()  # its derivative at 0 is infinite
        return losses


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_what_is_not_finite_stops_before_it_spoils_the_weights(tmp_path, kind):
    task = ToyTask()
    failing = trainer(tmp_path, task=task, phases=[Failing(task, kind=kind)])
    with pytest.raises(FridoError) as refused:
        failing.run()
    assert "toy-69" in str(refused.value) and "generator" in str(refused.value) and "nan" in str(refused.value)
    if kind == "loss":  # then the micro-batch is known
        assert "toy-68" in str(refused.value) and "toy-67" not in str(refused.value)
    assert all(tensor.isfinite().all() for tensor in task.state_dict().values())
    assert checkpoint.latest(tmp_path).name == f"{64:012d}"


class Checking(Generating):
    """Notes when it is asked for its opinion, which is bad at `bad_at`; at `stop_at` the process is asked to stop."""

    def __init__(self, task: ToyTask, *, bad_at: int | None = None, stop_at: int | None = None) -> None:
        super().__init__(task)
        self.bad_at, self.stop_at, self.asked = bad_at, stop_at, []

    def forward(self, batch):
        if int(batch.positions[0]) == self.stop_at:
            signal.raise_signal(signal.SIGTERM)
        return super().forward(batch)

    def check(self, images_seen):
        self.asked.append(images_seen)
        if images_seen == self.bad_at:
            raise FridoError("the toy", got="broken", wanted="whole", do="mend it")


def test_phases_are_asked_before_each_checkpoint_that_falls_due(tmp_path):
    task = ToyTask()
    checking = Checking(task, bad_at=64)
    with pytest.raises(FridoError, match="the toy"):
        trainer(tmp_path, task=task, phases=[checking]).run()
    assert checking.asked == [32, 64]
    assert checkpoint.latest(tmp_path).name == f"{32:012d}"


def test_phases_are_not_asked_when_merely_stopped(tmp_path):
    task = ToyTask()
    checking = Checking(task, bad_at=48, stop_at=40)
    with pytest.raises(Stopped):
        trainer(tmp_path, task=task, phases=[checking]).run()
    assert checking.asked == [32]
    assert checkpoint.latest(tmp_path).name == f"{48:012d}"


def test_averaged_copy(tmp_path):
    task = ToyTask()
    trained = trainer(tmp_path, task=task)
    trained.run()
    raw = {name: tensor.clone() for name, tensor in task.state_dict().items()}
    with trained.averaged() as averaged:
        assert not averaged.training and task.training
        assert not torch.is_grad_enabled()
        torch.testing.assert_close(dict(averaged.state_dict()), trained.ema.weights["half_life"], atol=0, rtol=0)
        averaged.generator[0].weight.zero_()
        task.eval()
        trained.save(due=True, numbers={})  # at the worst moment
    assert task.training and task.generator.training
    found = checkpoint.read(checkpoint.latest(tmp_path))
    torch.testing.assert_close(found.weights, raw, atol=0, rtol=0)
    assert found.averages["half_life"]["generator.0.weight"].abs().sum() > 0


def test_parameters_outside_the_model_are_refused(tmp_path):
    task = ToyTask()
    with pytest.raises(AssertionError, match="not in the model"):
        trainer(tmp_path, task=task, phases=[Generating(ToyTask())])


def test_phases_of_one_name_are_refused(tmp_path):
    task = ToyTask()
    with pytest.raises(AssertionError, match="share a name"):
        trainer(tmp_path, task=task, phases=[Generating(task), Generating(task)])


def test_nothing_is_built_for_bad_settings(tmp_path):
    with pytest.raises(FridoError):
        trainer(tmp_path / "run", micro_batch=3)
    assert not (tmp_path / "run" / "checkpoints").exists()
