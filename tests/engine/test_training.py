"""Settings are refused before anything heavy happens, and the refusal says what to type."""

import pytest

from frido.contracts.errors import FridoError
from tests.engine.toys import settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch": 0}, "batch=0"),
        ({"batch": -8}, "batch=-8"),
        ({"images": 0}, "images=0"),
        ({"images": 100}, "budget of 96 images"),
        ({"images": 4}, "budget of 8 images"),
        ({"micro_batch": 0}, "or null"),
        ({"precision": "fp8"}, "fp32 or bf16 or fp16"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"log_every_images": 0}, "log_every_images"),
        ({"picture_every_images": -1}, "picture_every_images"),
        ({"max_skipped": -1}, "max_skipped"),
        ({"drawn_with": "power"}, "half_life), or raw"),
    ],
)
def test_bad_numbers(changes, said):
    with pytest.raises(FridoError) as refused:
        settings(**changes)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("micro_batch", "ranks", "said"),
    [(4, 3, "batch of 9"), (3, 1, "micro_batch of 2"), (8, 2, "micro_batch of 4"), (16, 1, "micro_batch of 8")],
)
def test_bad_splits(micro_batch, ranks, said):
    with pytest.raises(FridoError) as refused:
        settings(micro_batch=micro_batch).split(ranks)
    assert said in str(refused.value)


@pytest.mark.parametrize(("micro_batch", "ranks", "expected"), [(4, 2, (4, 4)), (None, 2, (4, 4)), (2, 1, (8, 2))])
def test_splits(micro_batch, ranks, expected):
    assert settings(micro_batch=micro_batch).split(ranks) == expected
