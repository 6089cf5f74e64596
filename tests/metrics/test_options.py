"""The promises of `Metric`, for everything that conf/metrics offers."""

import math

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from frido.cli.compose import compose
from frido.contracts.errors import FridoError
from frido.contracts.metric import Metric
from frido.metrics.evaluation import Evaluation, Result
from frido.metrics.features.bank import FeatureBank
from tests.conf.menu import GROUPS
from tests.metrics.pictures import held_out, score

OPTIONS = GROUPS["metrics"]


@pytest.fixture(params=OPTIONS, scope="module")
def evaluation(request) -> Evaluation:
    try:
        return instantiate(compose("run", [f"metrics={request.param}"])["metrics"], _convert_="all")
    except InstantiationException as error:
        assert isinstance(error.__cause__, FridoError)
        pytest.skip(f"needs {error.__cause__.what}: {error.__cause__.got}")


@pytest.fixture
def missing(evaluation) -> bool:
    """Return whether files are missing that its numbers need, and it says so instead."""
    return any(isinstance(metric, FeatureBank) and metric.extractor.missing for metric in made(evaluation))


def made(evaluation: Evaluation) -> list[Metric]:
    return [make() for make in evaluation.make.values()]


def scored(evaluation: Evaluation, count: int, size: int) -> Result:
    images, scenes = held_out(120)
    return score(evaluation, images[:count], images.flip(3)[:count], scenes[:count], size)


def test_parts_are_metrics(evaluation):
    assert all(isinstance(metric, Metric) for metric in made(evaluation))


def test_numbers_are_finite_named_by_protocol_and_carded(evaluation):
    numbers, cards, _, _ = scored(evaluation, 120, 50)
    assert all(isinstance(value, float) and math.isfinite(value) for value in numbers.values())
    assert set(numbers) <= set(cards)
    assert all("weights_sha256" in card for card in cards.values())
    assert all("value" in card or card["refused"] for card in cards.values())


def test_runs_do_not_see_each_other_and_batches_do_not_matter(evaluation):
    once = scored(evaluation, 120, 120).numbers
    again = scored(evaluation, 120, 33).numbers
    assert again == once, "to the last bit"


def test_four_images_give_no_distance(evaluation, missing):
    numbers, cards, _, _ = scored(evaluation, 4, 4)
    assert not [name for name in numbers if name.startswith(("fid", "is"))]
    for name, card in cards.items():
        assert not name.startswith(("fid", "is")) or ("weights" if missing else "4 images") in card["refused"]


def test_nothing_given_gives_nothing_and_says_so(evaluation):
    numbers, cards, _, _ = evaluation.run([], paired=True, described=True, reference=None)
    assert numbers == {}
    assert all(card["refused"] for card in cards.values())
