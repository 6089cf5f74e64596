"""What the finished studies say follows from the numbers that lie beside it."""

import json
from pathlib import Path

import pytest
import yaml

from frido.report.findings import figure, table
from frido.report.verdicts import Asked, Margin, verdicts

ROOT = Path(__file__).parents[2]
STUDIES = ("gating", "shared_vs_per_scale")


@pytest.fixture(params=STUDIES)
def study(request) -> tuple[str, dict]:
    folder = ROOT / "experiments" / request.param
    return request.param, json.loads((folder / "results.json").read_text())


def test_margins_are_those_of_the_study(study):
    name, results = study
    told = yaml.safe_load((ROOT / "conf" / "study" / f"{name}.yaml").read_text())
    assert results["comparison"] == told["comparison"]
    swept = told["hydra"]["sweeper"]["params"]
    assert (",".join(results["arms"]), ",".join(map(str, results["seeds"]))) == (swept["arm"], str(swept["seed"]))
    assert not results["missing"] and not results["refused"]


def test_verdicts_follow_from_the_numbers(study):
    _, results = study
    asked = results["comparison"]
    margins = {name: Margin(**told) for name, told in asked["metrics"].items()}
    numbers = {
        name: {arm: {int(seed): value for seed, value in of.items()} for arm, of in results["numbers"][name].items()}
        for name in margins
    }
    found = verdicts(numbers, Asked(**(asked | {"metrics": margins})), arms=results["arms"], seeds=results["seeds"])
    assert [row["says"] for row in found] == [row["says"] for row in results["comparisons"]]


def test_readme_and_figure_show_the_results(study):
    name, results = study
    folder = ROOT / "experiments" / name
    assert table(results).strip() in (folder / "README.md").read_text()
    assert (folder / "results.svg").read_text() == figure(results)


def test_the_page_shows_the_verdicts(study):
    _, results = study
    page = (ROOT / "docs" / "studies.html").read_text()
    for row in results["comparisons"]:
        assert row["says"] in page
