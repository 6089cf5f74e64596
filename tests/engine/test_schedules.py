"""Learning rates, decays and moments are functions of images seen that are known beforehand."""

import pytest
import torch
from torch import nn

from frido.engine.averages.classic import Classic
from frido.engine.averages.half_life import HalfLife
from frido.engine.ema import Ema
from frido.engine.learning_rates.constant import Constant
from frido.engine.learning_rates.cosine import Cosine
from frido.engine.stopwatch import Stopwatch
from frido.engine.trainer import due
from frido.engine.window import Window


def test_cosine_starts_at_one_is_half_in_the_middle_and_ends_at_its_final_value():
    cosine = Cosine(warmup_images=0, final=0.2)
    assert cosine(0, budget=1000) == 1
    assert cosine(500, budget=1000) == pytest.approx(0.6)
    assert cosine(1000, budget=1000) == pytest.approx(0.2)


@pytest.mark.parametrize("schedule", [Constant(warmup_images=100), Cosine(warmup_images=100, final=1.0)])
def test_warmup_is_linear(schedule):
    assert [schedule(images, budget=1000) for images in (0, 25, 50, 100, 700)] == [0, 0.25, 0.5, 1, 1]


def averaged(average, *, steps: int, batch: int) -> float:
    """Return the average of a weight that is 0 at the start and 1 from then on."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    ema = Ema(model, averages={"one": average})
    model.weight.data.fill_(1.0)
    for step in range(1, steps + 1):
        ema.update(model, images_seen=step * batch, batch=batch)
    return float(ema.weights["one"]["weight"])


@pytest.mark.parametrize("batch", [1, 8, 64])
def test_half_life_counts_images_whatever_the_batch(batch):
    assert averaged(HalfLife(images=256, ramp=None), steps=256 // batch, batch=batch) == pytest.approx(0.5, abs=1e-5)
    assert averaged(HalfLife(images=256, ramp=None), steps=768 // batch, batch=batch) == pytest.approx(7 / 8, abs=1e-5)


def test_ramp_forgets_the_start():
    assert averaged(HalfLife(images=10**9, ramp=0.1), steps=100, batch=8) > 0.999


def test_classic_average_is_the_published_one():
    average = Classic(limit=0.9999)
    assert average.decay(8, batch=8) == pytest.approx(2 / 11)
    assert average.decay(800, batch=8) == pytest.approx(101 / 110)
    assert average.decay(8 * 10**6, batch=8) == 0.9999


def test_buffers_are_copied_even_if_they_were_replaced():
    model = nn.BatchNorm1d(2)
    ema = Ema(model, averages={"one": HalfLife(images=1000, ramp=None)})
    model.running_mean = torch.tensor([3.0, 4.0])
    model.num_batches_tracked += 7
    ema.update(model, images_seen=8, batch=8)
    assert ema.weights["one"]["running_mean"].tolist() == [3, 4]
    assert ema.weights["one"]["num_batches_tracked"] == 7


@pytest.mark.parametrize(
    ("every", "expected"),
    [(None, []), (8, [8, 16, 24, 32, 40]), (16, [16, 32, 40]), (12, [16, 24, 40]), (3, [8, 16, 24, 32, 40])],
)
def test_due_once_per_multiple_and_at_the_end(every, expected):
    assert [n for n in range(8, 41, 8) if due(n, every=every, step=8, last=40)] == expected


def test_window_takes_means_of_what_was_there():
    window = Window()
    window.add({"b": 1.0, "a": 1.0})
    window.add({"a": 2.0})
    other = Window()
    other.restore(window.state())
    other.add({"a": 6.0})
    assert list(other.take().items()) == [("a", 3.0), ("b", 1.0)]
    assert other.take() == {}


def test_stopwatch_counts_only_what_runs(monkeypatch):
    now = iter([0.0, 0.0, 1.0, 2.0, 100.0, 100.0, 100.0, 102.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    watch = Stopwatch()
    for _ in range(2):
        with watch.running(64), watch.waiting():
            pass
    assert watch.take() == {"images_per_second": 32.0, "data_wait": 0.25}
