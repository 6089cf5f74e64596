"""A loss or gradient that is not finite: named, kept for whoever looks, left out or the end of the training."""

import json

import pytest
import torch
from safetensors.torch import load_file

from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.learning_rates.constant import Constant
from tests.engine.toys import BATCH, Criticising, Generating, ToyStream, ToyTask, trainer

STEADY = Constant(warmup_images=0)
"""Does not depend on the budget."""


class Spoiling(ToyStream):
    """Makes the second image of some batches NaN."""

    def __init__(self, *steps: int) -> None:
        super().__init__()
        self.spoiled = {step * BATCH for step in steps}

    def at(self, images_seen: int):
        batch = super().at(images_seen)
        if images_seen in self.spoiled:
            batch.images[1] = torch.nan
        return batch


def lines(directory) -> list[dict]:
    return [json.loads(line) for line in (directory / "not_finite.jsonl").read_text().splitlines()]


def test_the_first_stops_and_what_was_good_is_kept(tmp_path):
    quiet = trainer(tmp_path / "quiet", images=5 * BATCH, schedule=STEADY)
    quiet.run()
    stopped = trainer(tmp_path / "run", stream=Spoiling(5), schedule=STEADY)
    with pytest.raises(FridoError) as refused:
        stopped.run()
    told = str(refused.value)
    assert "toy-41" in told and "toy-44" not in told, "the micro-batch that made it so, no other"
    assert "max_skipped" in told and "not_finite/000000000040" in told
    assert checkpoint.latest(tmp_path / "run").name == f"{4 * BATCH:012d}"
    kept = tmp_path / "run" / "not_finite" / f"{5 * BATCH:012d}"
    torch.testing.assert_close(load_file(kept / "model.safetensors"), dict(quiet.model.state_dict()), atol=0, rtol=0)
    assert json.loads((kept / "batch.json").read_text())["ids"] == {"0": ["toy-40", "toy-41", "toy-42", "toy-43"]}


def test_a_step_is_left_out(tmp_path):
    """Neither weights nor buffers feel it, for either phase; the next ones go on."""
    one = trainer(tmp_path, stream=Spoiling(2), images=3 * BATCH, max_skipped=1, schedule=STEADY)
    one.run()
    task = ToyTask()
    other = trainer(tmp_path / "other", task=task, images=2 * BATCH, schedule=STEADY)
    other.run()
    torch.testing.assert_close(dict(one.model.state_dict()), dict(task.state_dict()), atol=0, rtol=0)
    assert [(line["images"], line["phase"]) for line in lines(tmp_path)] == [(24, "generator"), (24, "critic")]
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["steps_skipped"] == 2
    assert all(value == value for value in last.values()), "no NaN among the means"


@pytest.mark.parametrize(("spoiled", "stops"), [((2, 3, 5, 6), False), ((2, 3, 4), True)])
def test_in_a_row(tmp_path, spoiled, stops):
    run = trainer(tmp_path, stream=Spoiling(*spoiled), max_skipped=2)
    if not stops:
        return run.run()
    with pytest.raises(FridoError, match="for 3 steps in a row"):
        run.run()


def test_interruption_between_steps_left_out(tmp_path):
    """The count in a row, the count of all and the file are those of an uninterrupted training."""

    class CrashError(Exception):
        pass

    def crash(images_seen: int) -> None:
        if images_seen == 5 * BATCH:
            raise CrashError

    trainer(tmp_path / "quiet", stream=Spoiling(2, 3, 4, 8), max_skipped=3).run()
    stream = Spoiling(2, 3, 4, 8)
    stream.at_start = crash
    with pytest.raises(CrashError):
        trainer(tmp_path / "run", stream=stream, max_skipped=3).run()
    continued = trainer(tmp_path / "run", stream=Spoiling(2, 3, 4, 8), max_skipped=3)
    continued.restore()
    assert continued.images_seen == 4 * BATCH and continued.not_finite.in_a_row == {"generator": 2, "critic": 2}
    continued.run()
    for name in ("metrics.jsonl", "not_finite.jsonl"):
        assert (tmp_path / "run" / name).read_text() == (tmp_path / "quiet" / name).read_text()


class Exploding(Generating):
    """Its loss is fine, its gradient is not."""

    def forward(self, batch):
        losses = super().forward(batch)
        if int(batch.positions[0]) == 2 * BATCH:
            losses["loss"] = losses["loss"] + (self.generator[0].weight[0, 0, 0, 0] * 0).abs().sqrt()
        return losses


def test_a_gradient_alone(tmp_path):
    """All samples are named, since the micro-batch is not known."""
    task = ToyTask()
    with pytest.raises(FridoError, match="gradient_norm=") as refused:
        trainer(tmp_path, task=task, phases=[Exploding(task), Criticising(task)], precision="fp32").run()
    assert "toy-16" in str(refused.value) and "toy-23" in str(refused.value)
