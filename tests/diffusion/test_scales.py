"""Which scales a sample trains."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frido.contracts.errors import FridoError
from frido.diffusion.scales.quotas import Quotas
from tests.denoisers import options


@pytest.mark.parametrize("name", options.names("task/scales"))
def test_every_scale_has_samples_and_no_sample_comes_in_vain(name):
    positions = torch.arange(7, 7 + 12)
    shares = [positions[rows] for rows in options.build("task/scales", name)(num_scales=2).rows(positions)]
    assert len(shares) == 2
    assert all(len(share) > 0 for share in shares)
    assert set(torch.cat(shares).tolist()) == set(positions.tolist())


@settings(max_examples=25, deadline=None)
@given(
    quotas=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    start=st.integers(0, 10**12),
    cycles=st.integers(1, 3),
)
def test_quotas_are_exact_wherever_a_micro_batch_starts(quotas, start, cycles):
    """And a sample trains the same scale in every batch that holds it."""
    scales, cycle = Quotas(num_scales=len(quotas), quotas=quotas), sum(quotas)
    positions = torch.arange(start, start + cycle * cycles)
    rows = scales.rows(positions)
    assert [len(part) for part in rows] == [quota * cycles for quota in quotas]
    assert sorted(torch.cat(list(rows)).tolist()) == list(range(len(positions)))
    whole = {int(p): scale for scale, part in enumerate(rows) for p in positions[part]}
    for first in range(cycle * (cycles - 1) + 1):
        some = positions[first : first + cycle]
        assert all(whole[int(p)] == scale for scale, part in enumerate(scales.rows(some)) for p in some[part])


@pytest.mark.parametrize("quotas", [[1], [1, 0], [2, 1, 1], []])
def test_quotas_that_leave_a_scale_out_are_refused(quotas):
    with pytest.raises(FridoError, match=r"task\.scales\.quotas=\[1, 1\]"):
        Quotas(num_scales=2, quotas=quotas)


def test_half_a_cycle_is_a_broken_promise():
    with pytest.raises(AssertionError, match="no whole cycles of 3"):
        partial(Quotas, quotas=[1, 2])(num_scales=2).rows(torch.arange(4))
