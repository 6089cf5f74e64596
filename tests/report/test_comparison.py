"""A study's folder, read and answered."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from frido.contracts.errors import FridoError
from frido.report import findings
from frido.report.__main__ import main
from frido.report.comparison import compare
from frido.report.verdicts import Asked, Margin, verdicts

SEEDS, EFFECTS = (0, 1, 2, 3), {"shared": 0.0, "own": 3.0, "alike": 0.1}
FID, RECALL = "fid/scenes@1024", "judge/recall"
COMPARISON = {
    "question": "Is <it> so?",
    "reference": "shared",
    "confidence": 0.95,
    "correction": "holm",
    "metrics": {FID: {"margin": 2.0, "better": "lower"}, RECALL: {"margin": 0.02, "better": "higher"}},
}


def fid(arm: str, seed: int) -> float:
    return 20.0 + 5 * seed + EFFECTS[arm] + 0.1 * ((seed * 7 + len(arm)) % 3 - 1)


def card(value: float, seed: int, **other: object) -> dict:
    return {"value": value, "extractor": "scenes", "seed": seed, "sampler": {"steps": 12}, **other}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a finished study of three arms."""
    jobs = []
    for arm in EFFECTS:
        for seed in SEEDS:
            run = run_of(tmp_path, arm, seed)
            run.mkdir(parents=True)
            cards = {FID: card(fid(arm, seed), seed), RECALL: card(0.3 - fid(arm, seed) / 1000, seed)}
            (run / "evaluation.json").write_text(json.dumps(cards))
            (run / "config.yaml").write_text(yaml.safe_dump({"seed": seed, "diffusion": {"sampler": {"steps": 12}}}))
            place = {"directory": f"../../{arm}/{seed}", "status": "finished", "attempts": 1, "error": None}
            overrides = ["experiment=vg_sg2im", f"arm={arm}", f"seed={seed}"]
            jobs.append({"overrides": overrides, "arm": arm, "seed": seed, **place})
    study = tmp_path / "studies" / "toy"
    study.mkdir(parents=True)
    told = {"name": "toy", "command": "python -m frido.run study=toy", "comparison": COMPARISON, "jobs": jobs}
    (study / "study.json").write_text(json.dumps(told))
    return study


def run_of(root: Path, arm: str, seed: int) -> Path:
    return root / arm / str(seed)


def edit(path: Path, change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def cards_of(folder: Path, arm: str, seed: int) -> Path:
    return run_of(folder.parents[1], arm, seed) / "evaluation.json"


def verdict(results: dict, arm: str, metric: str = FID) -> dict:
    return next(row for row in results["comparisons"] if (row["arm"], row["metric"]) == (arm, metric))


def test_a_finished_study(folder):
    results = compare(folder)
    assert results["missing"] == results["refused"] == []
    assert verdict(results, "own")["verdict"] == "worse" and verdict(results, "alike")["verdict"] == "equivalent"
    assert results["protocols"][FID] == {"extractor": "scenes", "sampler.steps": "12"}


def test_results_are_enough_to_judge_again(folder):
    results = json.loads(json.dumps(compare(folder)))
    told = results["comparison"]
    metrics = {name: Margin(**one) for name, one in told["metrics"].items()}
    asked = Asked(**{key: value for key, value in told.items() if key != "metrics"}, metrics=metrics)
    numbers = {
        metric: {arm: {int(seed): value for seed, value in by_seed.items()} for arm, by_seed in by_arm.items()}
        for metric, by_arm in results["numbers"].items()
    }
    assert verdicts(numbers, asked, arms=results["arms"], seeds=results["seeds"]) == results["comparisons"]


def test_unfinished_runs_are_missing_and_count_for_nothing(folder):
    def change(study):
        for job in study["jobs"]:
            if (job["arm"], job["seed"]) == ("own", 2):
                job |= {"status": "failed", "error": "error: no disk\n  got: none"}

    edit(folder / "study.json", change)
    results = compare(folder)
    assert results["missing"] == [{"arm": "own", "seed": 2, "why": "failed: error: no disk"}]
    assert verdict(results, "own")["seeds"] == [0, 1, 3] and verdict(results, "alike")["seeds"] == [0, 1, 2, 3]
    assert "own, seed 2: no run (failed: error: no disk)" in findings.table(results)


def test_numbers_of_another_protocol_are_refused(folder):
    edit(cards_of(folder, "own", 1), lambda cards: cards[FID].update(extractor="inception"))
    results = compare(folder)
    assert verdict(results, "own")["seeds"] == [0, 2, 3]
    (refused,) = results["refused"]
    assert refused["seed"] == 1 and "extractor is inception, of shared scenes" in refused["why"]


def test_another_sampler_is_refused_unless_the_arm_is_about_it(folder):
    def other(cards):
        for one in cards.values():
            one["sampler"] = {"steps": 50}

    for seed in SEEDS:
        edit(cards_of(folder, "own", seed), other)
    assert verdict(compare(folder), "own")["seeds"] == []
    for seed in SEEDS:
        config = run_of(folder.parents[1], "own", seed) / "config.yaml"
        config.write_text(yaml.safe_dump({"seed": seed, "diffusion": {"sampler": {"steps": 50}}}))
    assert verdict(compare(folder), "own")["seeds"] == list(SEEDS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda cards: cards.pop(FID), "not measured"),
        (lambda cards: cards[FID].update(value=None, refused="8 images are too few"), "8 images are too few"),
        (lambda cards: cards[FID].update(value=float("nan")), "no finite value"),
    ],
)
def test_runs_without_the_number(folder, change, why):
    edit(cards_of(folder, "alike", 0), change)
    results = compare(folder)
    assert why in results["refused"][0]["why"] and verdict(results, "alike")["seeds"] == [1, 2, 3]


def test_a_reference_without_numbers_leaves_everything_open(folder):
    for seed in SEEDS:
        edit(cards_of(folder, "shared", seed), lambda cards: cards.pop(FID))
    results = compare(folder)
    assert verdict(results, "own")["verdict"] == "cannot tell" and verdict(results, "own", RECALL)["interval"]
    ET.fromstring(findings.figure(results))


def unknown_reference(study):
    study["comparison"]["reference"] = "shaerd"


def nothing_asked(study):
    study["comparison"] = None


def more_varied(study):
    study["jobs"][0]["overrides"].append("size.width=32")


def torn(study):
    del study["comparison"]["confidence"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (unknown_reference, "comparison.reference=shared"),
        (nothing_asked, "compares nothing"),
        (more_varied, "size.width=32"),
        (torn, "confidence"),
    ],
)
def test_a_study_that_cannot_be_answered_says_why(folder, change, told):
    edit(folder / "study.json", change)
    with pytest.raises(FridoError, match=told):
        compare(folder)


def test_door_writes_results_and_figure_and_prints_the_table(folder, capsys):
    out = folder / "results.json"
    assert main([str(folder), "--results", str(out)]) == 0
    printed = capsys.readouterr().out
    assert json.loads(out.read_text())["study"] == "toy"
    assert len([line for line in printed.splitlines() if line.startswith(f"| `{FID}`")]) == 2
    drawing = ET.fromstring(out.with_suffix(".svg").read_text())
    space = "{http://www.w3.org/2000/svg}"
    dots = [dot for dot in drawing.iter(f"{space}circle") if dot.get("fill") == "none"]
    assert len(dots) == 4 * len(SEEDS)
    assert all(0 < float(dot.get("cx")) < float(drawing.get("width")) for dot in dots)
    assert drawing.find(f"{space}title").text == "Is <it> so?"


@pytest.mark.parametrize("words", [[], ["--out", "page.html"]])
def test_door_refuses_what_does_not_go_together(folder, words, capsys):
    folders = [str(folder)] * (1 if words else 2)
    assert main([*folders, "--results", str(folder / "results.json"), *words]) == 2
    assert "--results" in capsys.readouterr().err


def test_what_is_in_the_figure_lies_where_it_belongs(folder):
    """Margins and means are on the axis that the labels tell."""
    results = compare(folder)
    space = "{http://www.w3.org/2000/svg}"
    tree = ET.fromstring(findings.figure(results))
    places = {label.text: float(label.get("x")) for label in tree.findall(f"{space}text")[:-1]}
    band = next(rect for rect in tree.findall(f"{space}rect") if rect.get("fill") != "#ffffff")
    left, width = float(band.get("x")), float(band.get("width"))
    assert findings.LEFT <= left < left + width <= findings.WIDTH - findings.RIGHT
    assert (left, left + width) == pytest.approx((places["-2"], places["+2"]), abs=0.2)
    means = [dot for dot in tree.iter(f"{space}circle") if dot.get("fill") != "none"]
    place = (float(means[0].get("cx")) - left) / width
    assert place == pytest.approx((verdict(results, "own")["mean"] + 2.0) / 4.0, abs=0.01)
