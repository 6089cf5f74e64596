"""Learning rates, decays and moments are functions of images seen that are known beforehand."""

import math

import pytest
import torch
from torch import nn

from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.schema import check
from frido.contracts.errors import FridoError
from frido.engine.averages.classic import Classic
from frido.engine.averages.half_life import HalfLife
from frido.engine.ema import Ema
from frido.engine.learning_rates.constant import Constant
from frido.engine.learning_rates.cosine import Cosine
from frido.engine.learning_rates.inverse_square_root import InverseSquareRoot
from frido.engine.learning_rates.linear import Linear
from frido.engine.speed.stopwatch import Stopwatch
from frido.engine.trainer import due
from frido.engine.window import Window
from tests.conf.menu import CONF
from tests.engine.toys import ToyStream, trainer


def test_cosine_starts_at_one_is_half_in_the_middle_and_ends_at_its_final_value():
    cosine = Cosine(warmup_images=0, final=0.2)
    assert cosine(0, budget=1000) == 1
    assert cosine(500, budget=1000) == pytest.approx(0.6)
    assert cosine(1000, budget=1000) == pytest.approx(0.2)


def test_linear_is_straight():
    linear = Linear(warmup_images=0, final=0.2)
    assert [linear(images, budget=1000) for images in (0, 250, 500, 1000)] == pytest.approx([1, 0.8, 0.6, 0.2])


def test_inverse_square_root_halves_at_four_times_the_reference_whatever_the_budget():
    rate = InverseSquareRoot(warmup_images=0, reference_images=70_000 * 2048)
    for budget in (1000, 10**10):
        assert [rate(70_000 * 2048 * times, budget=budget) for times in (0, 1, 4, 16)] == [1, 1, 0.5, 0.25]


def test_inverse_square_root_is_that_of_the_transformer():
    """`width^-0.5 * min(step^-0.5, step * warmup^-1.5)` (Vaswani et al., 2017, equation 3), over its largest value."""
    rate, warmup = InverseSquareRoot(warmup_images=4000, reference_images=4000), 4000
    for step in (1, 100, 4000, 4001, 100_000):
        published = min(step**-0.5, step * warmup**-1.5) * warmup**0.5
        assert rate(step, budget=10**6) == pytest.approx(published)


def test_inverse_square_root_needs_a_reference():
    with pytest.raises(FridoError, match="reference_images"):
        InverseSquareRoot(warmup_images=0, reference_images=0)


def test_constant_is_the_published_one():
    """LDM and Frido: from 1e-6 to 1 of the rate in 10 000 steps, here of 8 images, then 1 for good."""
    constant = Constant(warmup_images=10_000 * 8)
    for step in (0, 1, 5_000, 9_999, 10_000, 400_000):
        published = (1 - 1e-6) / 10_000 * step + 1e-6 if step < 10_000 else 1.0
        assert constant(step * 8, budget=10**7) == pytest.approx(published, abs=1.1e-6)


@pytest.mark.parametrize("option", sorted(path.stem for path in (CONF / "learning_rate").glob("*.yaml")))
@pytest.mark.parametrize("stage", ["autoencoder", "denoiser"])
def test_options_rise_then_never_rise_again(stage, option):
    """For each stage, as a command chooses it; no factor is above 1."""
    config = compose("run", [f"learning_rate@training.{stage}.schedule={option}", "size.warmup_images=1000"])
    check(config)
    rate, budget = build(config["training"][stage]["schedule"]), 10_000
    rising = [rate(images, budget=budget) for images in range(0, 1001, 250)]
    after = [rate(images, budget=budget) for images in range(1000, budget + 1, 250)]
    assert rising[0] == 0 and rising == sorted(rising)
    assert after == sorted(after, reverse=True) and after[-1] >= 0 and rising[-1] <= 1


@pytest.mark.parametrize("batch", [4, 8])
def test_a_step_has_the_rate_of_the_images_before_it_whatever_the_batch(tmp_path, batch):
    one = trainer(tmp_path, batch=batch, micro_batch=None)
    logged = one.optimizations["generator"].step(ToyStream(batch=batch).at(32), images_seen=32)
    assert logged["generator/learning_rate"] == pytest.approx(1e-2 * 0.5 * (1 + math.cos(math.pi / 3)))


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(warmup_images=100),
        Cosine(warmup_images=100, final=1.0),
        Linear(warmup_images=100, final=1.0),
        InverseSquareRoot(warmup_images=100, reference_images=1000),
    ],
)
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
