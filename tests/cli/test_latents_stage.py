"""Stage latents and samples that could not be read."""

from types import SimpleNamespace

import pytest
import torch

from frido.cli.session import Session
from frido.cli.stages import latents
from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.data.latents import LatentTable
from tests.tasks.toys import batch as toy_batch

LOST = Lost("train-000000.tar", "0007", "changed bytes")
OTHER = LOST._replace(key="0008")


def encoded(*lost: Lost):
    return toy_batch(4)._replace(lost=lost)


def table(*lost: Lost) -> LatentTable:
    return LatentTable.join([encoded(*lost)])


@pytest.mark.parametrize(("lost", "kept"), [((), True), ((LOST,), False)])
def test_a_table_with_losses_is_made_again(tmp_path, lost, kept):
    """The shard may have been mended since; a substitute's latents must not stay for good."""
    table(*lost).save(tmp_path / latents.FILE)
    (tmp_path / "done.json").write_text("{}")
    latents.forget_losses(tmp_path)
    assert (tmp_path / "done.json").exists() is kept


class Reading(Session):
    """A session whose images are read and encoded already."""

    def __init__(self, *batches: Batch, max_loss: int) -> None:
        self.batches, self.device, self.frozen = batches, torch.device("cpu"), None
        self.data, self.config = SimpleNamespace(max_loss=max_loss), {"size": {"resolution": 64}}

    def new_view(self, autoencoder):
        return torch.nn.Identity()

    def once(self, *, batch, count=None, share=False):
        yield from self.batches

    def with_latents(self, batch):
        return batch

    def with_view(self, batch, view):
        return batch


@pytest.mark.parametrize("most", [0, 1])
def test_too_many_losses_end_the_encoding(most):
    batches = encoded(LOST), encoded(LOST), encoded(OTHER)
    with pytest.raises(FridoError, match=f"cannot be read: {most + 1}"):
        latents.encode(Reading(*batches, max_loss=most))
    assert set(latents.encode(Reading(*batches, max_loss=2)).lost) == {LOST, OTHER}
