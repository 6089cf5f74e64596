import pytest

from frido.cli.pairs import check_together
from frido.contracts.errors import FridoError


def config(
    *,
    weight: float = 1.0,
    dropout: float = 0.1,
    batch: int = 8,
    devices: int = 1,
    quotas: list[int] | None = None,
    micro_batch: int | None = None,
    steps: int | list[int] = 4,
) -> dict:
    return {
        "autoencoder": {"factors": [8, 4]},
        "diffusion": {"guidance": {"weight": weight}, "sampler": {"steps": steps}},
        "task": {"condition_dropout": dropout, "scales": {"quotas": quotas} if quotas else {}},
        "training": {"autoencoder": {"batch": 8}, "denoiser": {"batch": batch, "micro_batch": micro_batch}},
        "hardware": {"devices": devices, "nodes": 1},
    }


def test_good_pairs_pass():
    check_together(config(weight=3.0, batch=8, devices=4))
    check_together(config(weight=1.0, dropout=0.0))
    check_together(config(weight=[1.0, 1.0], dropout=0.0))


def test_guidance_without_dropout_is_refused():
    with pytest.raises(FridoError, match=r"condition_dropout=0\.1"):
        check_together(config(weight=1.5, dropout=0.0))


def test_batch_that_does_not_split_is_refused():
    with pytest.raises(FridoError, match=r"size\.batch=12"):
        check_together(config(batch=10, devices=4))


@pytest.mark.parametrize(
    ("quotas", "batch", "devices", "micro_batch", "do"),
    [
        ([1, 2], 8, 2, None, "size.batch=12"),
        ([1, 3], 16, 2, 2, "training.denoiser.micro_batch=4"),
        ([1, 1], 24, 2, 3, "training.denoiser.micro_batch=2"),
        ([1, 2], 8, 1, 4, "size.batch=9"),
    ],
)
def test_quotas_that_do_not_fill_a_micro_batch_are_refused(quotas, batch, devices, micro_batch, do):
    with pytest.raises(FridoError, match=do):
        check_together(config(quotas=quotas, batch=batch, devices=devices, micro_batch=micro_batch))


def test_quotas_that_fill_every_micro_batch_pass():
    check_together(config(quotas=[1, 3], batch=16, devices=2, micro_batch=4))
    check_together(config(quotas=[1, 2], batch=12, devices=2))


@pytest.mark.parametrize(
    ("settings", "do"),
    [
        ({"steps": [4]}, r"diffusion\.sampler\.steps=\[4,4\]"),
        ({"weight": [1.5, 2.0, 1.0]}, r"diffusion\.guidance\.weight=\[1\.5,2\.0\]"),
        ({"quotas": [8]}, r"task\.scales\.quotas=\[8,8\]"),
    ],
)
def test_lists_of_another_length_than_the_pyramid_are_refused(settings, do):
    with pytest.raises(FridoError, match=do):
        check_together(config(**settings))
    check_together(config(steps=[4, 2], weight=[1.5, 2.0]))


@pytest.mark.parametrize("weights", [None, "first_stage.safetensors"])
def test_no_training_is_for_converted_runs(weights):
    given = config() | {"first_stage": {"weights": weights}}
    given["training"]["denoiser"]["images"] = 0
    if weights:
        return check_together(given)
    with pytest.raises(FridoError, match=r"frido\.convert"):
        check_together(given)
