"""The promises of `Metric`, for everything that conf/metrics offers."""

import math
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from frido.contracts.errors import FridoError
from frido.contracts.metric import Metric
from frido.metrics.evaluation import Evaluation
from tests.metrics.pictures import held_out

OPTIONS = sorted(Path("conf/metrics").glob("*.yaml"))


@pytest.fixture(params=OPTIONS, ids=[path.stem for path in OPTIONS], scope="module")
def evaluation(request) -> Evaluation:
    try:
        return instantiate(OmegaConf.load(request.param), _convert_="all")
    except InstantiationException as error:
        assert isinstance(error.__cause__, FridoError)
        pytest.skip(f"needs {error.__cause__.what}: {error.__cause__.got}")


def batches(count: int, size: int):
    images, scenes = held_out(120)
    for rows in torch.arange(count).split(size):
        yield images[rows], images.flip(3)[rows], [scenes[i] for i in rows.tolist()]


def test_parts_are_metrics(evaluation):
    assert all(isinstance(make(), Metric) for make in evaluation.make.values())


def test_numbers_are_finite_named_by_protocol_and_carded(evaluation):
    numbers, cards = evaluation.run(batches(120, 50))
    assert all(isinstance(value, float) and math.isfinite(value) for value in numbers.values())
    assert set(numbers) <= set(cards)
    assert all("weights_sha256" in card for card in cards.values())
    assert all("value" in card or card["refused"] for card in cards.values())


def test_runs_do_not_see_each_other_and_batches_do_not_matter(evaluation):
    once = evaluation.run(batches(120, 120)).numbers
    again = evaluation.run(batches(120, 33)).numbers
    assert again == pytest.approx(once, rel=1e-5)


def test_four_images_give_no_distance(evaluation):
    numbers, cards = evaluation.run(batches(4, 4))
    assert not [name for name in numbers if name.startswith(("fid", "is"))]
    for name, card in cards.items():
        assert not name.startswith(("fid", "is")) or "4 images" in card["refused"]


def test_nothing_given_gives_nothing_and_says_so(evaluation):
    numbers, cards = evaluation.run([])
    assert numbers == {}
    assert all(card["refused"] for card in cards.values())
