"""Speed, what it means for the machine, and memory; none of it is felt by the training."""

import json
import logging

import pytest
import torch
import torch.distributed as dist
from torch import nn

from frido.contracts.phase import Phase
from frido.engine import distributed
from frido.engine.counting import cost
from frido.engine.speed import effort, peak, stopwatch
from frido.engine.speed.effort import Effort
from frido.engine.speed.stopwatch import Stopwatch
from tests.engine.toys import BATCH, ToyStream, ToyTask, trainer

CPU = torch.device("cpu")
CONVOLUTION, STRIDED, MATRIX = 2 * (3 * 4 * 9) * 64, 2 * (3 * 4 * 9) * 9, 2 * 36
"""Operations of the toys' layers for one image: two such convolutions generate; the other two layers criticise."""

OF_GENERATOR = (2 + 3) * CONVOLUTION + 2 * STRIDED + 2 * MATRIX
"""A weight's gradient costs as much as the forward pass, and so does that of an input, which an image does not need;
of the critic nothing is trained here, so its weights ask for none."""

OF_CRITIC = 2 * CONVOLUTION + 2 * (2 * STRIDED + 3 * MATRIX)
"""Of a real and a generated image, and generating that without a backward pass."""


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the stopwatch believes in."""
    now = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])
    return now


@pytest.fixture
def slow(monkeypatch):
    """A machine that does a million operations a second."""
    monkeypatch.setattr(peak, "flops_per_second", lambda device, *, precision: 1e6)


class Multiplying(Phase):
    """A matrix of 16 x 8; what is done in its forward pass besides is up to `also`."""

    name = "multiplying"

    def __init__(self, also=lambda: None):
        super().__init__()
        self.matrix, self.also = nn.Linear(16, 8, bias=False), also

    def trained(self):
        return self.matrix.parameters()

    def forward(self, batch):
        self.also()
        return {"loss": self.matrix(batch.images.flatten(1)[:, :16]).mean()}


def batch():
    return ToyStream().at(0)


def of(phase):
    return Effort([phase], precision="fp32", device=CPU)


def test_only_steps_count(clock):
    watch = Stopwatch()
    for _ in range(3):
        with watch.running(8):
            with watch.waiting():
                clock[0] += 0.5
            clock[0] += 1.5
        clock[0] += 60  # looking at samples
    assert watch.take() == {"images_per_second": 24 / 6, "data_wait": 1.5 / 6}
    with watch.running(8):
        clock[0] += 4
    assert watch.take() == {"images_per_second": 2.0, "data_wait": 0.0}


def test_operations_of_a_matrix(slow):
    """Forward 2 x 16 x 8 an image, and as much for the gradient of the weights; that of the images nobody needs."""
    one = of(Multiplying())
    one.look(batch(), {})
    found = one.rates(images_per_second=100.0)
    assert found["flops_per_second"] == 100 * 2 * (2 * 16 * 8)
    assert found["peak_share"] == pytest.approx(0.0512)


def test_ranks_add_up(slow, monkeypatch):
    """The speed is that of all ranks; so is the most that they can do."""
    one = of(Multiplying())
    one.look(batch(), {})
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    assert one.rates(images_per_second=100.0)["peak_share"] == pytest.approx(0.0128)


def test_a_phase_that_begins_late_is_counted_when_it_does(slow, monkeypatch):
    counts = []
    monkeypatch.setattr(cost, "flops_per_image", lambda *_, **__: counts.append(1) or float(len(counts)))
    one = of(Multiplying())
    told = []
    for loss in (0.0, 0.0, 0.3, 0.2, 0.0):
        one.look(batch(), {"multiplying/loss": loss})
        told.append(one.rates(images_per_second=1.0)["flops_per_second"])
    assert told == [1, 1, 2, 2, 3]


def test_what_cannot_be_counted_is_said_once_and_leaves_memory(caplog):
    def fail():
        raise RuntimeError("values, please")

    one = of(Multiplying(fail))
    for loss in (0.0, 1.0):
        one.look(batch(), {"multiplying/loss": loss})
    assert one.rates(images_per_second=1.0).keys() == {"peak_memory_bytes"}
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "values, please" in said


def test_counting_waits_for_no_other_rank(slow, monkeypatch):
    """It is done on the first one only."""
    found, images = [], batch()
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    of(Multiplying(lambda: found.append(dist.is_initialized()))).look(images, {})
    assert found == [False] and dist.is_initialized()


def test_counting_draws_no_random_number_and_leaves_the_model_alone():
    task, before = ToyTask(), torch.get_rng_state()
    state = {name: value.clone() for name, value in task.state_dict().items()}
    one = Effort(task.phases(), precision="bf16", device=CPU)
    before = torch.get_rng_state()
    one.look(batch(), {})
    one.rates(images_per_second=1.0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(task.state_dict(), state, atol=0, rtol=0)
    assert all(parameter.grad is None and not parameter.is_meta for parameter in task.parameters())


def test_nothing_is_counted_while_a_trace_is_taken(slow):
    """It would be a part of what is traced."""
    one = of(Multiplying())
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        one.look(batch(), {})
    assert "flops_per_second" not in one.rates(images_per_second=1.0)
    one.look(batch(), {})
    assert "flops_per_second" in one.rates(images_per_second=1.0)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        one.look(batch(), {"multiplying/loss": 0.0})
    assert "flops_per_second" not in one.rates(images_per_second=1.0), "nothing is better than an old count"


def test_memory_is_the_most_so_far(monkeypatch):
    readings = iter([5, 9, 7])
    monkeypatch.setattr(effort, "_most_memory", lambda device: next(readings))
    one = of(Multiplying())
    assert [one.rates(images_per_second=1.0)["peak_memory_bytes"] for _ in range(3)] == [5, 9, 9]


def test_memory_of_a_process_is_in_bytes():
    """Of one that has imported torch."""
    assert 100e6 < effort._most_memory(CPU) < 100e9


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_peak_of_this_machine(precision):
    """More than a plain loop and less than any CPU; no random number is drawn, and it is measured once."""
    before = torch.get_rng_state()
    rate = peak.flops_per_second(CPU, precision=precision)
    assert 1e8 < rate < 1e14
    assert torch.equal(torch.get_rng_state(), before)
    assert peak.flops_per_second(CPU, precision=precision) == rate


def test_clock_and_memory_are_logged_beside_the_metrics(tmp_path, slow):
    trainer(tmp_path, images=6 * BATCH, log_every_images=3 * BATCH).run()
    metrics, timing = (
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("metrics.jsonl", "timing.jsonl")
    )
    told = ("images_per_second", "data_wait", "flops_per_second", "peak_share", "peak_memory_bytes")
    for line in timing:
        assert {f"generator/{name}" for name in told} <= line.keys()
        per_image = line["generator/flops_per_second"] / line["generator/images_per_second"]
        assert per_image == pytest.approx(OF_GENERATOR + OF_CRITIC), "the same at every window"
    assert not any(name.endswith(told) for line in metrics for name in line)
