import pytest

from frido.cli.pairs import check_together
from frido.contracts.errors import FridoError


def config(*, weight: float = 1.0, dropout: float = 0.1, batch: int = 8, devices: int = 1) -> dict:
    return {
        "diffusion": {"guidance": {"weight": weight}},
        "task": {"condition_dropout": dropout},
        "training": {"autoencoder": {"batch": 8}, "denoiser": {"batch": batch}},
        "hardware": {"devices": devices},
    }


def test_good_pairs_pass():
    check_together(config(weight=3.0, batch=8, devices=4))
    check_together(config(weight=1.0, dropout=0.0))


def test_guidance_without_dropout_is_refused():
    with pytest.raises(FridoError, match=r"condition_dropout=0\.1"):
        check_together(config(weight=1.5, dropout=0.0))


def test_batch_that_does_not_split_is_refused():
    with pytest.raises(FridoError, match=r"size\.batch=12"):
        check_together(config(batch=10, devices=4))
