"""One job of every study, at a few steps: what its arms change trains, draws and is measured."""

import json

import pytest

from frido.run import main as run
from tests.conf.menu import CONF, GROUPS, read

SMALL = ["debug=smoke", "tracking=files", "hardware.threads=1", "hardware.precision=fp32", "size.resolution=32",
         "size.scenes=64", "data.source.val=8", "data.source.test=8", "size.images=64",
         "size.autoencoder_images=64", "size.watched=8", "size.samples=8"]  # fmt: skip
QUICK = "shared_vs_per_scale"


def last_job(study: str) -> list[str]:
    """Return the overrides of the last arm, which is no reference, with a seed that is not 0."""
    given = read(CONF / "study" / f"{study}.yaml")["hydra"]["sweeper"]["params"]
    return [f"{key}={str(value).split(',')[-1]}" for key, value in given.items()]


@pytest.mark.parametrize(
    "study", [pytest.param(name, marks=[] if name == QUICK else pytest.mark.slow) for name in GROUPS["study"]]
)
def test_a_job_of_the_study(study, tmp_path):
    given = {key for key, _, _ in (word.partition("=") for word in SMALL)}
    own = [word for word in last_job(study) if word.partition("=")[0] not in given]
    assert run([*own, *SMALL, f"run.root={tmp_path}"]) == 0
    (directory,) = (tmp_path / "vg_sg2im").glob("*/")
    cards = json.loads((directory / "evaluation.json").read_text())
    assert {"fid/scenes@8", "judge/recall"} <= cards.keys()
    assert (directory / "report.html").is_file()
