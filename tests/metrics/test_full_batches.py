"""Batches of one length."""

import pytest
import torch

from frido.metrics.full_batches import ROWS, full_batches


@pytest.mark.parametrize("count", [0, 1, ROWS, ROWS + 1, 3 * ROWS - 1])
def test_every_batch_is_full_and_no_row_is_lost(count):
    rows = torch.arange(2 * count).view(count, 2)
    batches = list(full_batches(rows))
    assert all(batch.shape == (ROWS, 2) and not batch[true:].any() for batch, true in batches)
    assert torch.cat([rows[:0], *(batch[:true] for batch, true in batches)]).equal(rows)
