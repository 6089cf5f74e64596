"""Which runs are of one arm, what they are called, and what is read of a study."""

import json

import pytest
import yaml

from frido.contracts.errors import FridoError
from frido.report import differences
from frido.report.gather import gather
from frido.report.members import members
from frido.report.run import read


def named(places):
    return [(member.name, member.arm, member.arm_name, member.seeds) for member in gather(places, scenes=1).members]


def test_runs_that_differ_in_their_seed_alone_are_one_arm(make_run):
    runs = [make_run(), make_run(name="b", seed=1), make_run(name="c", width=64), make_run(name="d", width=64, seed=7)]
    made = named(runs)
    assert [(arm, seeds) for _, arm, _, seeds in made] == [(0, 2), (0, 2), (1, 2), (1, 2)]
    assert [name for _, _, name, _ in made] == ["width=48"] * 2 + ["width=64"] * 2
    colors = [member.color for member in gather(runs, scenes=1).members]
    assert colors == [0, 0, 1, 1], "an arm has one colour"


def test_what_changes_no_result_parts_no_arm(make_run):
    first, second = make_run(), make_run(name="b", seed=1)
    config = yaml.safe_load((second / "config.yaml").read_text())
    told = {"hardware": {"threads": 8}, "tracking": {"wandb": True}, "training": {"denoiser": {"seed": 1}}}
    (second / "config.yaml").write_text(yaml.safe_dump(config | told))
    assert [arm for _, arm, *_ in named([first, second])] == [0, 0]
    (second / "config.yaml").write_text(yaml.safe_dump(config | {"autoencoder": {"seed": 1}}))
    assert [arm for _, arm, *_ in named([first, second])] == [0, 1], "another first stage is no other seed"


def test_runs_are_called_by_what_sets_them_apart(make_run):
    wide = make_run(name="b", width=64)
    config = yaml.safe_load((wide / "config.yaml").read_text())
    (wide / "config.yaml").write_text(yaml.safe_dump(config | {"denoiser": {"_target_": "a.b.Other"}}))
    assert [name for name, *_ in named([make_run(), wide])] == ["denoiser=PyUNet, width=48", "denoiser=Other, width=64"]
    (wide / "config.yaml").write_text(yaml.safe_dump(config | {f"key{k}": k for k in range(4)}))
    assert [name for name, *_ in named([make_run(name="c"), wide])] == ["c", "b"], "too much to say: their folders"
    assert [name for name, *_ in named([make_run(name="d"), make_run(name="e")])] == ["d", "e"], "nothing to say"


def test_arms_of_one_name_in_two_studies_are_told_apart(make_study, tmp_path):
    first = make_study(seeds=2)
    told = json.loads((first / "study.json").read_text())
    other = first.parent / "again"
    other.mkdir()
    jobs = [{**job, "arm": "narrow"} for job in told["jobs"] if job["arm"] == "middle"]
    (first / "study.json").write_text(json.dumps({**told, "jobs": told["jobs"][:2]}))
    (other / "study.json").write_text(json.dumps({**told, "name": "again", "jobs": jobs}))
    assert {(arm, name) for _, arm, name, _ in named([first, other])} == {(0, "narrow (widths)"), (1, "narrow (again)")}


def test_jobs_of_an_arm_that_differ_in_more_than_their_seed_are_no_arm(make_study):
    study = make_study(seeds=2)
    told = json.loads((study / "study.json").read_text())
    jobs = [{**job, "arm": "all", "overrides": [f"size.width={job['arm']}"]} for job in told["jobs"]]
    (study / "study.json").write_text(json.dumps({**told, "jobs": jobs}))
    assert [arm for _, arm, *_ in named([study])] == [0, 0, 1, 1, 2, 2]


def test_colours_repeat_with_dashes(make_run):
    runs = [read(make_run(name=f"run{k}", width=16 + k)) for k in range(10)]
    made = members(runs, [])
    assert len({(member.color, member.dash) for member in made}) == 10 and made[8].color == made[0].color


def test_a_study_names_arms_and_runs(make_study):
    made = named([make_study(seeds=2, finished=5)])
    assert [name for name, *_ in made] == [
        "narrow · seed 0", "narrow · seed 1", "middle · seed 0", "middle · seed 1", "wide · seed 0",
    ]  # fmt: skip
    assert [(arm, name) for _, arm, name, _ in made[::2]] == [(0, "narrow"), (1, "middle"), (2, "wide")]


def test_an_arm_that_two_studies_share_is_one_arm_with_both_names(make_study, tmp_path):
    first = make_study(seeds=2)
    told = json.loads((first / "study.json").read_text())
    other = first.parent / "again"
    other.mkdir()
    jobs = [{**job, "arm": "usual"} for job in told["jobs"] if job["arm"] == "middle"]
    (other / "study.json").write_text(json.dumps({**told, "name": "again", "jobs": jobs}))
    made = named([first, other])
    assert len(made) == 6 and {name for _, _, name, _ in made} == {"narrow", "middle = usual", "wide"}


def test_settings_that_follow_another_are_no_difference_of_their_own(make_run):
    runs = [make_run(), make_run(name="b", seed=1)]
    for run, seed in zip(runs, (0, 1), strict=True):
        config = yaml.safe_load((run / "config.yaml").read_text())
        (run / "config.yaml").write_text(yaml.safe_dump(config | {"task": {"seed": seed}}))
    columns, settings = differences.table(gather(runs, scenes=1).members)
    assert [(row.key, row.also, row.values) for row in settings] == [("seed", ("task.seed",), ("0, 1",))]
    assert len(columns) == 1 and len(columns[0].members) == 2


@pytest.mark.parametrize(
    ("told", "named"),
    [("{", r"study\.json, line 1"), ('{"jobs": 3}', r"study\.json, jobs"), ('{"jobs": [{}]}', r"study\.json, item 0")],
)
def test_a_study_that_is_none_is_named(tmp_path, told, named):
    (tmp_path / "study.json").write_text(told)
    with pytest.raises(FridoError, match=named):
        gather([tmp_path], scenes=1)


def test_a_study_that_has_not_begun_is_refused(make_study):
    with pytest.raises(FridoError, match="none of whose jobs has begun"):
        gather([make_study(seeds=2, finished=0)], scenes=1)
