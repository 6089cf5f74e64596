"""W&B, offline and without a network: what was tracked is read back with W&B's own reader."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from PIL import Image

from frido.contracts.errors import FridoError
from frido.tracking.console import ConsoleTracker
from frido.tracking.jsonl import JsonlTracker
from frido.tracking.several import SeveralTrackers
from frido.tracking.told import Told
from frido.tracking.tracking import Tracking
from frido.tracking.wandb import logged_in, without_diff

CONF = Path(__file__).parents[2] / "conf" / "tracking"
PLAIN = {"project": "frido", "group": None, "job_type": None, "tags": None, "patience_seconds": 60, "console": "silent"}
OPENED = f"""
    import sys, time
    from pathlib import Path
    from frido.tracking import wandb
    from frido.tracking.tracking import Tracking

    wandb.FLUSH_SECONDS, wandb.SAFE_SECONDS = 1.0, 1.5
    secret, directory, stage, *places = sys.argv[1:]
    directory = Path(directory)
    config = {{"seed": 3, "denoiser": {{"width": 48, "hub_token": "xyzzy"}}}}
    provenance = {{"command": f"frido.run {{secret}}", "git": {{"commit": "abc", "diff": "+ my password"}}}}
    tracking = Tracking(**{PLAIN | {"wandb": "offline", "tags": ["night"]}!r})
    tracker = tracking.open(directory, stage, config=config, provenance=provenance, budget=256)
"""
TRAINING = """
    for images in map(int, places):
        tracker.log({"denoiser/loss": 1 / images, "denoiser/images_per_second": 100.0}, images=images)
        tracker.log({"validation/loss/scale0": 2 / images, "autoencoder/usage_0": 0.5}, images=images)
        tracker.picture("samples", directory / "real.png", images=images)
        time.sleep(1.6 if images < 160 else 0.0)
"""
EVALUATION = """
    row = ["val-000000", "a red circle", directory / "graph.svg", directory / "real.png", 0.5, None, True]
    tracker.log({"fid/scenes@512": 41.5}, images=256)
    tracker.table("samples", ["scene", "words", "graph", "real", "found", "note", "good"], [row, row], images=256)
"""
CLOSED = "    tracker.close()\n"
KILLED = '    print("told", flush=True)\n    time.sleep(60)\n'


def environment(place: Path, **more: str) -> dict[str, str]:
    """Return an environment that is not logged in at W&B, and where its places for all runs are below `place`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "FRIDO_", "RANK"))}
    home = {name: str(place / "home") for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR")}
    return kept | home | {"NETRC": str(place / "netrc")} | more


def start(job: str, directory: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(OPENED + job), "hub_token=xyzzy", str(directory), *arguments]
    study = {"FRIDO_STUDY": "shared_vs_per_scale", "FRIDO_ARM": "per_scale"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(directory.parent, **study))


def records(path: Path) -> list[dict]:
    """Return what W&B's own reader finds in a log."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def history(found: list[dict]) -> list[dict]:
    return [record["history"]["item"] for record in found if record["type"] == "history"]


def of_kind(logs: list[list[dict]], kind: str) -> list[dict]:
    return [record[kind] for found in logs for record in found if record["type"] == kind]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory that was trained, killed, continued from 128 images and evaluated, and what its logs hold."""
    directory = tmp_path_factory.mktemp("job") / "vg_sg2im" / "0a1b2c3d4e5f"
    directory.mkdir(parents=True)
    Image.new("RGB", (4, 4), "red").save(directory / "real.png")
    (directory / "graph.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    trained = start(TRAINING + KILLED, directory, "denoiser", "64", "128", "160", "192")
    assert trained.stdout.readline() == b"told\n"
    os.kill(trained.pid, signal.SIGKILL)
    trained.communicate()
    for job, stage, places in (TRAINING, "denoiser", ("160", "192", "256")), (EVALUATION, "evaluate", ()):
        other = start(job + CLOSED, directory, stage, *places)
        other.communicate()
        assert other.returncode == 0
    paths = directory.glob("wandb/offline-run-*/run-*.wandb")
    found = sorted((records(path) for path in paths), key=lambda log: of_kind([log], "run")[0]["start_time"])
    assert len(found) == 3
    return directory, found


def test_a_continued_run_is_one_run(run):
    directory, found = run
    runs = of_kind(found, "run")
    assert {one["run_id"] for one in runs} == {json.loads((directory / "wandb.json").read_text())["id"]}
    assert {one["display_name"] for one in runs} == {"per_scale/0a1b2c3d4e5f"}
    assert {one["job_type"] for one in runs} == {"train"}, "the stage that evaluates is no run of its own"
    assert {one["run_group"] for one in runs} == {"shared_vs_per_scale"}
    assert all(sorted(one["tags"]) == ["night", "per_scale"] for one in runs)


def test_steps_go_on_and_nothing_is_lost(run):
    """What was told at 160 and 192 images did not arrive, or perhaps did; what lies before is told once."""
    _, found = run
    points = [point for log in found for point in history(log)]
    steps = [point["_step"] for point in points]
    assert steps == sorted(set(steps)), "W&B leaves out what goes back"
    losses = [(point["images"], point["denoiser/loss"]) for point in points if "denoiser/loss" in point]
    assert dict(losses) == {images: 1 / images for images in (64, 128, 160, 192, 256)}
    places = [images for images, _ in losses]
    assert [places.count(images) for images in (64, 256)] == [1, 1] and max(map(places.count, places)) <= 2
    assert [point["images"] for point in points if "fid/scenes@512" in point] == [256]
    axes = [metric for metric in of_kind(found, "metric") if metric.get("glob_name") == "*"]
    assert len(axes) == 3 and {metric["step_metric"] for metric in axes} == {"images"}


def test_what_lies_before_the_last_place_was_told(tmp_path):
    """A resume from an older checkpoint."""
    place = tmp_path / "recipe" / "hash"
    Told(id="abc", job_type="train", step=7, images=192).write(place)
    (tmp_path / "recipe" / "hash" / "real.png").touch()
    job = start(
        '\n    for images in (64, 128):\n        tracker.log({"loss": 1.0}, images=images)\n' + CLOSED, place, "x"
    )
    job.communicate()
    (log,) = place.glob("wandb/offline-run-*/run-abc.wandb")
    assert job.returncode == 0 and history(records(log)) == []
    assert len((place / "metrics.jsonl").read_text().splitlines()) == 2


def test_config_and_provenance_are_there_and_secrets_are_not(run):
    directory, found = run
    for one in of_kind(found, "run"):
        config = one["config"]["update"]
        assert config["denoiser"]["width"] == 48 and config["provenance"]["git"]["commit"] == "abc"
        assert config["sweep"] == {"study": "shared_vs_per_scale", "arm": "per_scale"}
    for file in (directory / "wandb").rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert b"xyzzy" not in content and b"my password" not in content, f"{file}: the command line, perhaps"


def test_pictures_and_the_health_of_codebooks_are_there(run):
    directory, found = run
    points = [point for log in found for point in history(log)]
    assert {point["images"] for point in points if point.get("autoencoder/usage_0") == 0.5} == {64, 128, 160, 192, 256}
    pictures = [point["samples.path"] for point in points if "samples.path" in point]
    assert len(pictures) >= 5
    assert all(list(directory.glob(f"wandb/offline-*/files/{picture}")) for picture in pictures)


def test_tables_hold_pictures_that_stay_with_the_run(run):
    directory, found = run
    (point,) = [point for point in history(found[2]) if "tables/samples._type" in point]
    assert point["images"] == 256 and point["tables/samples._type"] == "table-file"
    (artifact,) = of_kind(found, "artifact")
    contents = {Path(entry["path"]).suffix: Path(entry["local_path"]) for entry in artifact["manifest"]["contents"]}
    assert contents.keys() == {".html", ".png", ".json"}
    assert all(place.is_file() and place.is_relative_to(directory) for place in contents.values()), "to be synced later"
    table = json.loads(contents[".json"].read_text())
    assert table["columns"] == ["scene", "words", "graph", "real", "found", "note", "good"]
    (row, _) = table["data"]
    assert row[:2] == ["val-000000", "a red circle"] and row[4:] == [0.5, None, True]
    assert (row[2]["_type"], row[3]["_type"]) == ("html-file", "image-file")
    assert b"<svg" in contents[".html"].read_bytes()


def test_what_the_machine_did_is_there(run):
    _, found = run
    assert any("memory_percent" in stats["item"] for stats in of_kind(found, "stats"))


def test_the_truth_is_the_file(run):
    directory, _ = run
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert sum("denoiser/loss" in line for line in lines) == 7 and lines[-1] == {"images": 256, "fid/scenes@512": 41.5}


@pytest.fixture
def not_logged_in(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE", "WANDB_BASE_URL", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def tracking(**changes) -> Tracking:
    return Tracking(**({"wandb": "disabled"} | PLAIN | changes))


def test_logged_in_by_key_or_netrc(monkeypatch, tmp_path, not_logged_in):
    assert not logged_in()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password " + "0" * 40 + "\n")
    assert logged_in()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not logged_in()
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert logged_in()


def test_online_without_a_key_is_an_error_of_the_user(tmp_path, not_logged_in):
    with pytest.raises(FridoError, match="wandb login"):
        tracking(wandb="online").open(tmp_path, "denoiser", config={})


def test_disabled_is_disabled(tmp_path):
    tracker = tracking().open(tmp_path, "denoiser", config={})
    tracker.log({"loss": 1.0}, images=8)
    tracker.table("samples", ["scene"], [["a"]], images=8)
    tracker.close()
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_wandb_is_imported_only_when_used(tmp_path):
    code = (
        "import sys, pathlib; from frido.tracking.tracking import Tracking;"
        f"tracking = Tracking(wandb='disabled', **{PLAIN | {'console': 'lines'}!r});"
        f"tracking.open(pathlib.Path({str(tmp_path)!r}), 'n', config={{}});"
        "assert not {'wandb', 'torch'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_ranks_are_silent(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    tracker = tracking(wandb="offline", console="lines").open(tmp_path / "run", "denoiser", config={})
    tracker.log({"loss": 1.0}, images=8)
    tracker.close()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("changes", [{"wandb": "on"}, {"console": "loud"}])
def test_unknown_choices(changes):
    with pytest.raises(FridoError, match=next(iter(changes.values()))):
        tracking(**changes)


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
    node = yaml.safe_load((CONF / f"{option}.yaml").read_text())
    assert node.pop("_target_") == "frido.tracking.tracking.Tracking"
    made = Tracking(**node)
    assert made.wandb == {"default": "auto", "files": "disabled"}.get(option, option)
    assert ConsoleTracker(name="x", budget=None, style=made.console)
