"""Verdicts on made-up numbers whose truth is known."""

import pytest

from frido.report.verdicts import Asked, Margin, verdicts

SEEDS = list(range(6))
HARD = dict(zip(SEEDS, (0.0, 9.0, -7.0, 4.0, -3.0, 12.0), strict=True))
"""What a seed does to all arms alike."""
NOISE = dict(zip(SEEDS, (0.1, -0.1, 0.05, -0.05, 0.08, -0.08), strict=True))


def asked(*metrics: str, margin: float = 2.0, better: str = "lower", correction: str = "none") -> Asked:
    margins = {metric: Margin(margin, better) for metric in metrics or ("fid",)}
    return Asked("Does it?", "shared", 0.95, correction, margins)


def arm(shift: float, noise: float = 1.0, seeds: list[int] = SEEDS) -> dict[int, float]:
    return {seed: 20.0 + HARD[seed] + shift + noise * NOISE[seed] for seed in seeds}


def judged(shift: float, question: Asked | None = None, **given) -> dict:
    numbers = {"fid": {"shared": arm(0.0, 0.0), "other": arm(shift, **given)}}
    (row,) = verdicts(numbers, question or asked(), arms=["shared", "other"], seeds=SEEDS)
    return row


def test_a_small_difference_is_found_under_large_ones_between_seeds():
    """Without pairs its interval would be about 8 to each side."""
    row = judged(0.5)
    assert row["interval"][1] - row["interval"][0] < 0.5 and row["p"]["difference"] < 0.001


@pytest.mark.parametrize(
    ("shift", "better", "verdict", "beyond"),
    [
        (5.0, "lower", "worse", True),
        (-5.0, "lower", "better", True),
        (5.0, "higher", "better", True),
        (0.0, "lower", "equivalent", False),
        (0.5, "lower", "equivalent", False),
        (2.05, "lower", "worse", False),
    ],
)
def test_verdict(shift, better, verdict, beyond):
    row = judged(shift, asked(better=better))
    assert (row["verdict"], row["beyond"]) == (verdict, beyond)
    assert row["says"].startswith(verdict)


def test_a_difference_that_does_not_matter_is_told_too():
    assert "there is a difference, within the margin" in judged(0.5)["says"]


def test_noise_leaves_it_open_and_its_size_is_told():
    row = judged(0.5, noise=40.0)
    assert row["verdict"] == "cannot tell" and row["interval"][0] < 0 < row["interval"][1]
    assert row["told_from"] == pytest.approx((row["interval"][1] - row["interval"][0]) / 2)
    assert f"{row['told_from']:.2f}" in row["says"]


def test_missing_seeds_are_told():
    row = judged(5.0, seeds=[0, 1, 4])
    assert row["seeds"] == [0, 1, 4] and row["missing_seeds"] == [2, 3, 5]
    assert "3 of 6 seeds" in row["says"]


@pytest.mark.parametrize("seeds", [[2], []])
def test_fewer_than_two_pairs_tell_nothing(seeds):
    row = judged(5.0, seeds=seeds)
    assert row["verdict"] == "cannot tell" and row["interval"] is None and row["p"] == {}


def test_several_comparisons_ask_for_more():
    """Four differences, each of which is told alone, are not told together."""
    metrics = ("a", "b", "c", "d")
    numbers = {metric: {"shared": arm(0.0, 0.0), "other": arm(2.6, noise=25.0)} for metric in metrics}
    arms = ["shared", "other"]
    alone, together = (
        verdicts(numbers, asked(*metrics, margin=0.1, correction=name), arms=arms, seeds=SEEDS)
        for name in ("none", "holm")
    )
    assert [row["verdict"] for row in alone] == ["worse"] * 4
    assert [row["verdict"] for row in together] == ["cannot tell"] * 4
    assert together[0]["corrected"]["difference"] == pytest.approx(4 * together[0]["p"]["difference"])
    assert "corrected for the number of comparisons" in together[0]["says"]
    assert together[0]["told_from"] > alone[0]["told_from"]


def test_the_reference_is_compared_with_nothing():
    numbers = {"fid": {name: arm(0.0) for name in ("shared", "one", "two")}}
    rows = verdicts(numbers, asked(), arms=["one", "shared", "two"], seeds=SEEDS)
    assert [row["arm"] for row in rows] == ["one", "two"]
