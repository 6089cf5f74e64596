"""The numbers of the `fidelity` command, on the same files with the same weights, each by its own path."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch_fidelity import calculate_metrics

from frido.contracts.metric import Pictures
from frido.metrics.features.bank import FeatureBank
from frido.metrics.features.base import Features
from frido.metrics.features.inception import FILES, Inception
from frido.metrics.fid import frechet_distance, gaussian
from frido.metrics.inception_score import InceptionScore
from frido.metrics.kid import KID
from frido.metrics.precision_recall import PrecisionRecall
from frido.metrics.statistic import FeatureStatistic, Outcome
from tests.metrics.networks import write_inception

pytestmark = pytest.mark.usefixtures("one_thread")


class Distance(FeatureStatistic):
    """`FID` of any number of images: of fewer than 2049 it means nothing, but is the same."""

    names = ("fid",)

    def __init__(self, *, dimension: int, classes: int) -> None:
        pass

    def compute(self, *, real: Features, generated: Features) -> Outcome:
        distance = frechet_distance(*gaussian(real.features), *gaussian(generated.features))
        return Outcome({"fid": distance}, len(generated.positions))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_inception(tmp_path_factory.mktemp("hub") / FILES[0])


def images(folder: Path, count: int, *, seed: int, coarse: int) -> torch.Tensor:
    """Return and write blurred noise of 40 x 56 pixels; sides of other `coarse` grids do not look alike."""
    random = torch.Generator().manual_seed(seed)
    noise = 255 * torch.rand(count, 3, coarse, coarse, generator=random)
    made = torch.nn.functional.interpolate(noise, (40, 56), mode="bilinear").byte()
    folder.mkdir()
    for row, image in enumerate(made):
        Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())).save(folder / f"{row:06d}.png")
    return made


def compare(weights: Path, folder: Path, *, counts: tuple[int, int], subset_size: int, fid: bool) -> None:
    generated = images(folder / "generated", counts[0], seed=0, coarse=4)
    real = images(folder / "real", counts[1], seed=1, coarse=5)
    official = calculate_metrics(
        input1=str(folder / "generated"),
        input2=str(folder / "real"),
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights),
        isc=True,
        kid=True,
        prc=True,
        fid=fid,
        kid_subset_size=subset_size,
        cuda=False,
        save_cpu_ram=True,  # in this process
        verbose=False,
        cache=False,
    )
    statistics = {
        "is": partial(InceptionScore, splits=10, shuffle_seed=2020, minimum=1),
        "kid": partial(KID, subsets=100, subset_size=subset_size, seed=2020),
        "prc": partial(PrecisionRecall, neighbours=3, minimum=1),
    }
    bank = FeatureBank(
        extractor=Inception(weights=str(weights), sha256=""),
        statistics=statistics | ({"fid": Distance} if fid else {}),
    )
    for side, name in ((generated, "generated"), (real, "real")):
        nothing = Pictures(torch.arange(0), side[:0])
        for rows in torch.arange(len(side)).flip(0).split(10):
            bank.update(**{"real": nothing, "generated": nothing, name: Pictures(rows, side[rows]), "scenes": []})
    numbers = bank.compute()
    told = {
        "is": "inception_score_mean",
        "is_std": "inception_score_std",
        "kid": "kernel_inception_distance_mean",
        "kid_std": "kernel_inception_distance_std",
        "precision": "precision",
        "recall": "recall",
        "f_score": "f_score",
        "fid": "frechet_inception_distance",
    }
    expected = {f"{ours}/inception@{counts[0]}": official[name] for ours, name in told.items() if name in official}
    assert expected.keys() == numbers.keys() - {f"is_real/inception@{counts[0]}"}
    assert {name: numbers[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert all(np.isfinite(value) and value > 0 for value in expected.values()), "numbers that say something"


def test_scores_are_those_of_the_fidelity_command(weights, tmp_path):
    compare(weights, tmp_path, counts=(12, 10), subset_size=6, fid=False)


@pytest.mark.slow
def test_all_numbers_are_those_of_the_fidelity_command(weights, tmp_path):
    compare(weights, tmp_path, counts=(72, 60), subset_size=40, fid=True)


def test_the_file_in_the_cache_of_torch_is_found(weights, tmp_path, monkeypatch):
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / FILES[1]).symlink_to(weights)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    found, named = (Inception(weights=path, sha256="") for path in (None, str(weights)))
    assert found.sha256 == named.sha256
    assert found.network is named.network, "one network serves both"
