"""Studies and arms: every job composes, and what is compared is what the study says."""

import pytest

from frido.cli.compose import compose
from frido.cli.rundir import run_hash, stage_hash
from frido.cli.schema import check
from frido.contracts.errors import FridoError
from tests.conf.menu import CONF, GROUPS, read

STUDIES = GROUPS["study"]
FIRST_STAGES = ("encoder", "pyramid_depth", "quantizer")
"""Studies whose arms differ in the first stage."""


def params(study: str) -> dict[str, list[str]]:
    given = read(CONF / "study" / f"{study}.yaml")["hydra"]["sweeper"]["params"]
    return {key: str(value).split(",") for key, value in given.items()}


def job(study: str, arm: str, seed: str) -> dict:
    fixed = [f"{key}={value}" for key, (value, *_) in params(study).items() if key not in ("arm", "seed")]
    return compose("run", [*fixed, f"arm={arm}", f"seed={seed}"])


@pytest.mark.parametrize("study", STUDIES)
def test_every_arm_is_another_run_on_the_same_first_stage(study):
    """Or, where first stages are compared, on one of its own for each seed."""
    arms = params(study)["arm"]
    jobs = [*(job(study, arm, "0") for arm in arms), job(study, arms[-1], "1")]
    for config in jobs:
        check(config)
    assert len({run_hash(config) for config in jobs}) == len(jobs)
    first_stages = {stage_hash(config, "autoencoder") for config in jobs}
    assert len(first_stages) == (len(jobs) if study in FIRST_STAGES else 1)


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_every_job(study):
    arms, seeds = params(study)["arm"], params(study)["seed"]
    jobs = [job(study, arm, seed) for arm in arms for seed in seeds]
    for config in jobs:
        check(config)
    assert len({run_hash(config) for config in jobs}) == len(arms) * len(seeds)


@pytest.mark.parametrize("study", STUDIES)
def test_study_can_be_answered(study):
    """It composes, its reference is among its arms, and its numbers carry the protocol that its runs measure by."""
    config = compose("run", [f"study={study}"])
    check(config)
    asked, given = config["comparison"], params(study)
    assert asked["reference"] in given["arm"] and len(set(given["seed"])) == len(given["seed"]) >= 2
    counts = [name.rpartition("@")[2] for name in asked["metrics"] if "@" in name]
    assert counts and set(counts) == set(given["size.samples"])
    assert all(len(values) == 1 for key, values in given.items() if key not in ("arm", "seed")), "only pairs compare"


def test_studies_share_the_runs_of_their_references():
    one, other = job("shared_vs_per_scale", "shared", "3"), job("gating", "spade", "3")
    assert run_hash(one) == run_hash(other)


def test_an_arm_takes_an_option_and_the_command_line_another_still():
    assert compose("run", ["arm=concat"])["denoiser"]["gate"]["_target_"].endswith("ConcatGate")
    assert compose("run", ["experiment=coco_sg2im", "arm=concat"])["denoiser"]["gate"]["_target_"].endswith(
        "ConcatGate"
    )
    assert compose("run", ["arm=concat", "denoiser/gate=add"])["denoiser"]["gate"]["_target_"].endswith("AddGate")


def test_an_arm_comes_before_what_an_experiment_chooses():
    """The recipe takes its own teacher forcing; an arm that is about it has the last word."""
    assert "NoNoise" in compose("run", ["experiment=ldm_text"])["diffusion"]["teacher_forcing"]["_target_"]
    forced = compose("run", ["experiment=ldm_text", "arm=constant_mix"])["diffusion"]["teacher_forcing"]
    assert "ConstantMix" in forced["_target_"]


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"confidence": 95}, "comparison.confidence=0.95"),
        ({"correction": "bonferroni"}, "holm"),
        ({"metrics": {}}, "at least one number"),
        ({"metrics": {"judge/recall": {"margin": 0, "better": "higher"}}}, "more than 0"),
        ({"metrics": {"judge/recall": {"margin": 0.02, "better": "more"}}}, "lower or higher"),
        ({"metrics": {"judge/recall": {"margn": 0.02, "better": "higher"}}}, "comparison.metrics.judge/recall"),
    ],
)
def test_a_comparison_that_could_not_be_judged_is_refused_before_it_runs(asking, change, hint):
    with pytest.raises(FridoError) as told:
        check({**asking, "comparison": {**asking["comparison"], **change}})
    assert hint in str(told.value)


@pytest.fixture(scope="module")
def asking():
    return compose("run", ["study=gating"])
