"""W&B, offline: what was tracked is read back with W&B's own reader."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from frido.contracts.errors import FridoError
from frido.tracking.console import ConsoleTracker
from frido.tracking.jsonl import JsonlTracker
from frido.tracking.several import SeveralTrackers
from frido.tracking.tracking import Tracking
from frido.tracking.wandb import logged_in, run_id, without_diff

CONFIG = {"seed": 3, "denoiser": {"width": 48, "hub_token": "xyzzy"}}
PROVENANCE = {"command": "frido.run hub_token=xyzzy", "git": {"commit": "abc", "diff": "+ my password"}}


@pytest.fixture(autouse=True)
def not_logged_in(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE", "WANDB_BASE_URL", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def records(path: Path) -> list[dict]:
    """Return what W&B's own reader finds in a log."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The directory of a run that was continued once, its W&B logs in order, and what they hold."""
    directory = tmp_path_factory.mktemp("run")
    picture = directory / "pictures" / "samples" / "000000000128.png"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (4, 4), "red").save(picture)
    tracking = Tracking(wandb="offline", project="frido", console="silent")
    for start in (0, 128):
        tracker = tracking.open(directory, "denoiser", config=CONFIG, provenance=PROVENANCE, budget=256, group="study")
        tracker.log({"denoiser/loss": 0.5, "denoiser/images_per_second": 100.0}, images=start + 64)
        tracker.log({"denoiser/loss": 0.25}, images=start + 128)
        tracker.picture("samples", picture, images=start + 128)
        tracker.close()
    logs = sorted(directory.glob("wandb/offline-run-*/run-*.wandb"), key=lambda path: path.parent.name)
    return directory, logs, [records(log) for log in logs]


def test_history_is_on_the_axis_of_images(twice):
    _, _, found = twice
    points = [
        (record["history"]["item"]["images"], record["history"]["item"].get("denoiser/loss"))
        for log in found
        for record in log
        if record["type"] == "history"
    ]
    assert [point for point in points if point[1]] == [(64, 0.5), (128, 0.25), (192, 0.5), (256, 0.25)]
    metrics = [record["metric"] for record in found[0] if record["type"] == "metric"]
    assert any(metric.get("step_metric") == "images" and metric.get("glob_name") == "*" for metric in metrics)


def test_a_continued_run_is_one_run(twice):
    directory, _, found = twice
    runs = [record["run"] for log in found for record in log if record["type"] == "run"]
    assert len(runs) == 2
    assert {run["run_id"] for run in runs} == {run_id(directory)}
    assert runs[0]["project"] == "frido"


def test_config_and_provenance_are_there_and_secrets_are_not(twice):
    _, logs, found = twice
    run = next(record["run"] for record in found[0] if record["type"] == "run")
    config = run["config"]["update"]
    assert config["denoiser"]["width"] == 48 and config["provenance"]["git"]["commit"] == "abc"
    for log in logs:
        content = log.read_bytes()
        assert b"xyzzy" not in content and b"my password" not in content


def test_pictures_are_there(twice):
    _, logs, found = twice
    assert list(logs[0].parent.glob("files/media/images/samples*.png"))
    images = [record["history"]["item"] for record in found[0] if record["type"] == "history"]
    assert any("samples" in key for item in images for key in item)


def test_the_truth_is_the_file(twice):
    directory, _, _ = twice
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [64, 128, 192, 256]


def test_logged_in_by_key_or_netrc(monkeypatch, tmp_path):
    assert not logged_in()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password " + "0" * 40 + "\n")
    assert logged_in()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not logged_in()
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert logged_in()


def test_disabled_is_disabled(tmp_path):
    tracker = Tracking(wandb="disabled", project="frido", console="silent").open(tmp_path, "denoiser", config={})
    tracker.log({"loss": 1.0}, images=8)
    tracker.close()
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_wandb_is_imported_only_when_used(tmp_path):
    code = (
        "import sys, pathlib; from frido.tracking.tracking import Tracking;"
        "tracking = Tracking(wandb='disabled', project='p', console='lines');"
        f"tracking.open(pathlib.Path({str(tmp_path)!r}), 'n', config={{}});"
        "assert not {'wandb', 'torch'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_ranks_are_silent(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    tracker = Tracking(wandb="offline", project="frido", console="lines").open(tmp_path / "run", "denoiser", config={})
    tracker.log({"loss": 1.0}, images=8)
    tracker.close()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("changes", [{"wandb": "on"}, {"console": "loud"}])
def test_unknown_choices(changes):
    with pytest.raises(FridoError, match=next(iter(changes.values()))):
        Tracking(**({"wandb": "auto", "project": "frido", "console": "auto"} | changes))


def test_several_pass_everything_on(tmp_path):
    first, second = (JsonlTracker(directory=tmp_path / name) for name in ("a", "b"))
    both = SeveralTrackers(trackers=[first, second])
    both.log({"loss": 1.0}, images=8)
    both.close()
    assert (tmp_path / "a" / "metrics.jsonl").read_text() == (tmp_path / "b" / "metrics.jsonl").read_text() != ""


def test_provenance_without_git():
    assert without_diff({"command": "x"}) == {"command": "x"}


@pytest.mark.parametrize("option", ["default", "offline", "online", "files"])
def test_options(option, tmp_path):
    node = yaml.safe_load((Path(__file__).parents[2] / "conf" / "tracking" / f"{option}.yaml").read_text())
    assert node.pop("_target_") == "frido.tracking.tracking.Tracking"
    tracking = Tracking(**node)
    assert tracking.wandb == {"default": "auto", "files": "disabled"}.get(option, option)
    assert ConsoleTracker(name="x", budget=None, style=tracking.console)
