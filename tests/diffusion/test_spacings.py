"""Times of the network calls."""

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.diffusion.spacings.even import Even
from frido.diffusion.spacings.log_snr import LogSnr
from frido.diffusion.spacings.official import Official
from frido.diffusion.spacings.quadratic import Quadratic
from frido.diffusion.spacings.whole import Whole
from tests.denoisers import options

SCHEDULE = options.build("diffusion/schedule", "sqrt_linear")
PURE_NOISE = options.build("diffusion/schedule", "zero_terminal_snr")
ENDS = {Even: 0, LogSnr: 0, Official: 0, Quadratic: 0, Whole: -1}


@pytest.mark.parametrize("schedule", [SCHEDULE, PURE_NOISE])
@pytest.mark.parametrize("kind", ENDS)
def test_times_fall_to_the_end(kind, schedule):
    for steps in (2, 5, 20):
        times = kind().times(schedule, steps=steps)
        assert times.dtype == torch.float64
        assert (times.diff() < 0).all()
        assert times[-1] == ENDS[kind] and times[0] <= schedule.num_steps - 1


@pytest.mark.parametrize("schedule", [SCHEDULE, PURE_NOISE])
@pytest.mark.parametrize("kind", [Even, LogSnr, Whole])
@pytest.mark.parametrize("steps", [1, 2, 7, 333, 999, 1000])
def test_any_number_of_them(kind, steps, schedule):
    times = kind().times(schedule, steps=steps)
    assert len(times) == steps + 1 and times[0] == 999
    assert (times.diff() < 0).all()


def test_all_whole_steps_are_those_of_training():
    assert Whole().times(SCHEDULE, steps=1000).tolist() == list(range(999, -2, -1))


@pytest.mark.parametrize("schedule", [SCHEDULE, PURE_NOISE])
def test_strides_of_log_snr_are_equal(schedule):
    strides = schedule.log_snr(LogSnr().times(schedule, steps=12))[1:].diff()
    torch.testing.assert_close(strides, strides[:1].expand(11), rtol=1e-6, atol=0)


def test_official_times_keep_their_quirks():
    assert len(Official().times(SCHEDULE, steps=7)) - 1 == 8
    assert Official().times(SCHEDULE, steps=200)[:2].tolist() == [996, 991]
    with pytest.raises(FridoError, match="stay inside the schedule"):
        Official().times(SCHEDULE, steps=1000)
