"""What the sections of several runs say."""

import json

import pytest

from frido.contracts.errors import FridoError
from frido.report import answers, breakdown, curves, failures, finals, gallery, health, overview, pareto
from frido.report.gather import gather
from frido.report.numbers import count


def change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cards(run, **changes):
    told = json.loads((run / "evaluation.json").read_text())
    change(run / "evaluation.json", **{"fid/scenes@512": told["fid/scenes@512"] | changes})


def panels(runs):
    section = finals.section(gather(runs, scenes=1))
    return [panel for panel in section.values["panels"] if panel.name == "fid/scenes@512"]


def test_runs_measured_alike_share_a_panel(make_run):
    runs = [make_run(), make_run(name="b"), make_run(name="c")]
    cards(runs[1], seed=5, images_seen=9, interval=[40.0, 43.0])
    (panel,) = panels(runs)
    assert [cell.run for cell in panel.cells] == [0, 1, 2] and (panel.cells[1].low, panel.cells[1].high) == (40.0, 43.0)


@pytest.mark.parametrize("key", ["n", "features", "weights_hash", "sampler", "steps", "guidance", "ema", "split"])
def test_runs_measured_otherwise_get_another_panel(make_run, key):
    runs = [make_run(), make_run(name="b"), make_run(name="c")]
    cards(runs[1], **{key: "other"})
    usual, other = panels(runs)
    assert [cell.run for cell in usual.cells] == [0, 2] and usual.otherwise == (1,)
    assert [cell.run for cell in other.cells] == [1] and other.otherwise == (0, 2)
    assert other.apart == ((key, "other"),) and usual.label != other.label and usual.id != other.id


def test_a_number_that_is_none_is_no_dot(make_run):
    runs = [make_run(), make_run(name="b", fid=float("nan"))]
    section = finals.section(gather(runs, scenes=1))
    (data,) = [panel for panel in section.data.values() if panel["title"] == "fid/scenes@512"]
    assert [cell["value"] for cell in data["cells"]] == [41.37, None]
    json.dumps(section.data, allow_nan=False)


def test_scores_while_training_share_a_chart_only_where_they_were_drawn_alike(make_run):
    runs = [make_run(), make_run(name="b"), make_run(name="c")]
    for run, steps in zip(runs, (20, 50, 20), strict=True):
        with (run / "config.yaml").open("a") as file:
            file.write(f"diffusion: {{sampler: {{_target_: a.DDIM, steps: {steps}}}}}\n")
        with (run / "metrics.jsonl").open("a") as file:
            file.writelines(f'{{"images": {images}, "during/fid/scenes@64": 9.0}}\n' for images in (64, 128))
    (quality, *_) = curves.panels(gather(runs, scenes=1).members)
    places = {chart.title: [line.runs for line in chart.lines] for chart in quality.charts if "during" in chart.title}
    assert places == {
        "during/fid/scenes@64, steps=20": [(0,), (2,)],
        "during/fid/scenes@64, steps=50": [(1,)],
    }


def test_the_table_of_runs_sorts_by_numbers_and_filters_by_settings(make_run):
    section = overview.section(gather([make_run(), make_run(name="b", width=64, recall=0.5)], scenes=1))
    heads = [head for head, *_ in section.values["columns"]]
    first, second = section.values["lines"]
    assert heads[:2] == ["Images seen", "Parameters"] and "judge/recall" in heads and len(heads) == len(first.cells)
    seen, parameters = first.cells[:2]
    assert (seen.text, seen.value) == (count(32768), "32768") and parameters.value == str(1_704_512 + 870_016)
    assert second.cells[heads.index("judge/recall")].value == "0.5"
    assert "size.width=64" in second.words and "size.width=64" not in first.words


def test_costs_are_those_of_the_files(make_run):
    section = pareto.section(gather([make_run(), make_run(name="b", width=64)], scenes=1))
    chart = section.data["pareto-chart"]
    assert chart["costs"]["operations"]["values"] == pytest.approx([1e6 * 48**2, 1e6 * 64**2])
    assert chart["costs"]["memory"]["values"] == [48e6, 64e6]
    assert chart["costs"]["speed"]["values"] == pytest.approx([242, 242 * 0.75], rel=1e-2)
    better = {quality["label"]: quality["better"] for quality in chart["qualities"].values()}
    assert better["fid/scenes@512"] == "lower" and better["judge/recall"] == "higher"


def test_verdicts_are_those_of_the_study(make_study):
    study = make_study(seeds=4, finished=11)
    section = answers.section(gather([study], scenes=1))
    (answer,) = section.values["answers"]
    told = {(line.metric, line.arm): line for line in answer.lines}
    assert told["fid/scenes@512", "narrow"].kind == "worse" and len(told) == 4
    assert answer.left_out == ("wide, seed 3: no run (failed: out of memory)",)
    assert len(section.data) == 2 and answer.reference == "middle"


def test_a_study_that_cannot_be_compared_says_why(make_study):
    study = make_study(seeds=2)
    told = json.loads((study / "study.json").read_text())
    change(study / "study.json", comparison=told["comparison"] | {"reference": "no such arm"})
    (answer,) = answers.section(gather([study], scenes=1)).values["answers"]
    assert "no such arm" in answer.refused


def test_parts_stand_beside_their_counts_and_arms_are_means(make_study):
    subject = gather([make_study(seeds=2)], scenes=1)
    section = breakdown.section(subject)
    ((metric, rows),) = section.values["metrics"]
    assert [name for name, _ in section.values["columns"]] == ["narrow", "middle", "wide"]
    assert [(part, of) for part, of, _ in rows] == [
        ("shape circle", "300"),
        ("shape square", "301"),
        ("shape triangle", "302"),
    ]
    own = [run.breakdown["judge/recall"]["shape circle"][0] for run in subject.runs[:2]]
    assert float(rows[0][2][0]) == pytest.approx(sum(own) / 2, rel=1e-3)
    assert len(section.data[f"{metric.id}-chart"]["parts"][0]["values"]) == 6


def test_a_breakdown_that_is_none_is_named(run_directory):
    (run_directory / "breakdown.json").write_text('{"parts": {"judge/recall": {"shape circle": 0.5}}}')
    with pytest.raises(FridoError, match=r"breakdown\.json"):
        gather([run_directory], scenes=1)


def test_what_was_lost_is_counted_with_its_reasons(make_run):
    runs = [make_run(), make_run(name="b")]
    with (runs[1] / "metrics.jsonl").open("a") as file:
        file.write('{"images": 40000, "data/lost": 3, "steps_skipped": 2}\n')
    lost = [{"images": 5, "shard": "s", "key": str(k), "reason": "cut" if k else "checksum"} for k in range(3)]
    (runs[1] / "lost.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lost) + '{"torn')
    (loss,) = failures.section(gather(runs, scenes=1)).values["losses"]
    assert (loss.member.place, loss.counts, loss.reasons) == (1, (3, 2, 0), (("cut", "2"), ("checksum", "1")))


def test_jobs_that_are_not_finished_are_listed_failed_ones_first(make_study):
    ((name, jobs),) = failures.section(gather([make_study(seeds=2, finished=4)], scenes=1)).values["jobs"]
    assert name == "widths" and [job.status for job in jobs] == ["failed", "waiting"]
    assert jobs[0].error.startswith("out of memory")


def test_codebooks_have_a_place_of_their_own(run_directory):
    section = health.section(gather([run_directory], scenes=1))
    (scale,) = section.values["scales"]
    assert scale.name == "scale 1" and scale.numbers[0][0] == "perplexity"
    assert [title for _, chart in section.values["charts"] for title in [chart.title]] == ["autoencoder/codebook_usage"]


def test_of_many_runs_fewer_scenes_are_shown(make_run, monkeypatch):
    monkeypatch.setattr(gallery, "PICTURES", 15)
    runs = [make_run(name=f"run{k}", scenes=8, width=16 + k) for k in range(3)]
    (found,) = gallery.section(gather(runs, scenes=24)).values["galleries"]
    assert len(found.cards) == 5 and found.total == 8
