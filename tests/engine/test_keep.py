"""Which checkpoints stay, and that nobody who stops a training changes it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frido.contracts.errors import FridoError
from frido.engine.keep import Keep, Kept


def keep(*, last: int = 1, every_images: int | None = None, best: str | None = None, highest: bool = False) -> Keep:
    return Keep(last=last, every_images=every_images, best=best, highest=highest)


def at(*moments: int, **numbers: list[float]) -> list[Kept]:
    """Return checkpoints that were due at `moments`, with the n-th of each of `numbers`."""
    return [
        Kept(images, due=True, numbers={name: values[index] for name, values in numbers.items()})
        for index, images in enumerate(moments)
    ]


def stopped(images: int, **numbers: float) -> Kept:
    return Kept(images, due=False, numbers=numbers)


def test_newest():
    assert keep(last=2).chosen(at(24, 8, 1000, 16)) == {24, 1000}
    assert keep(last=5).chosen(at(8, 16)) == {8, 16}


def test_one_of_every_so_many_images():
    """The first of each; the beginning is none of them."""
    assert keep(every_images=100).chosen(at(40, 80, 120, 160, 200, 240, 420, 440)) == {120, 200, 420, 440}


@pytest.mark.parametrize(("highest", "expected"), [(False, {24, 40}), (True, {16, 40})])
def test_best(highest, expected):
    """The earliest of equals; what is no number is never the best."""
    made = at(8, 16, 24, 32, 40, psnr=[math.nan, 3.0, 1.0, 3.0, 1.0])
    assert keep(best="psnr", highest=highest).chosen(made) == expected


def test_best_of_what_was_never_measured():
    assert keep(best="psnr").chosen(at(8, 16)) == {16}
    assert keep(best="psnr").chosen(at(8, 16, psnr=[math.nan, math.nan])) == {16}


def test_one_that_somebody_asked_for_stays_until_the_next_that_is_due():
    asked = stopped(20, psnr=-1.0)
    assert keep(last=2).chosen([*at(8, 16), asked]) == {8, 16, 20}
    assert keep(last=2, every_images=20, best="psnr").chosen([*at(8, 16, 24), asked]) == {16, 24}


def test_stopped_again_and_again_before_one_is_due():
    """As many as are kept of the others: each start may be too short to get to one that is due."""
    assert keep(last=2).chosen([*at(8), *map(stopped, (9, 10, 11, 12))]) == {8, 11, 12}
    assert keep(last=2).chosen(map(stopped, (9, 10, 11, 12))) == {11, 12}


@pytest.mark.parametrize("wrong", [{"last": 0}, {"every_images": 0}])
def test_refused(wrong):
    with pytest.raises(FridoError, match=f"keep.{next(iter(wrong))}"):
        keep(**wrong)


@st.composite
def histories(draw):
    """Checkpoints in the order in which they are made, those that somebody asked for between those that are due."""
    count = draw(st.integers(1, 30))
    scores = st.lists(st.sampled_from([0.0, 1.0, 2.0, math.nan]), min_size=count, max_size=count)
    due = at(*range(10, 10 * count + 10, 10), score=draw(scores))
    asked = [stopped(images, score=-1.0) for images in draw(st.sets(st.integers(1, 10 * count), max_size=10))]
    return sorted([*due, *(one for one in asked if one.images_seen % 10)], key=lambda one: one.images_seen)


policies = st.builds(
    keep,
    last=st.integers(1, 4),
    every_images=st.none() | st.integers(5, 90),
    best=st.none() | st.just("score"),
    highest=st.booleans(),
)


def made(policy: Keep, history: list[Kept]) -> set[int]:
    """Return what is on disk at the end when the policy is asked after each checkpoint, of what is still there."""
    there: list[Kept] = []
    for one in history:
        there.append(one)
        stay = policy.chosen(there)
        assert one.images_seen in stay, "the one that was just written is the only one known to be good"
        there = [kept for kept in there if kept.images_seen in stay]
    return {one.images_seen for one in there}


@given(policy=policies, history=histories())
def test_an_interrupted_training_keeps_the_same(policy, history):
    quiet = [one for one in history if one.due]
    assert made(policy, history) == made(policy, quiet) == policy.chosen(quiet)
