"""A service that fails, dies or cannot be reached costs a warning and nothing else."""

import json
import logging
import os
import subprocess
import sys
import textwrap
import time

import pytest

from frido.contracts.errors import FridoError
from frido.contracts.tracker import Tracker
from frido.tracking.dispensable import DispensableTracker
from frido.tracking.tracking import Tracking

PLAIN = {"project": "frido", "group": None, "job_type": None, "tags": None, "patience_seconds": 5, "console": "silent"}


class Fragile(Tracker):
    """Fails in one of its methods."""

    def __init__(self, failing: str) -> None:
        self.failing, self.calls = failing, []
        self.note("open")

    def note(self, name: str) -> None:
        self.calls.append(name)
        if name == self.failing:
            raise ConnectionResetError("lost")

    def log(self, values, *, images):
        self.note("log")

    def picture(self, name, path, *, images):
        self.note("picture")

    def table(self, name, columns, rows, *, images):
        self.note("table")

    def close(self):
        self.note("close")


def used(tracker: Tracker, tmp_path) -> None:
    for images in (8, 16):
        tracker.log({"loss": 1.0}, images=images)
        tracker.picture("samples", tmp_path / "a.png", images=images)
        tracker.table("samples", ["scene"], [["a"]], images=images)
    tracker.close()


@pytest.mark.parametrize("failing", ["open", "log", "picture", "table", "close"])
def test_it_is_told_once_and_left_alone(failing, tmp_path, caplog):
    made = []

    def make() -> Tracker:
        made.append(Fragile.__new__(Fragile))
        made[0].__init__(failing)
        return made[0]

    with caplog.at_level(logging.WARNING):
        used(DispensableTracker(name="W&B", make=make), tmp_path)
    assert len(caplog.records) == 1 and "W&B failed (ConnectionResetError: lost)" in caplog.text
    assert made[0].calls.count(failing) == 1
    assert failing == "open" or made[0].calls[-1] == "close", "what is left of it is let go"


def test_what_does_not_fail_is_passed_on(tmp_path):
    tracker = Fragile("nothing")
    used(DispensableTracker(name="W&B", make=lambda: tracker), tmp_path)
    assert tracker.calls == ["open", *["log", "picture", "table"] * 2, "close"]


def test_a_wrong_setting_is_an_error():
    def wrong() -> Tracker:
        raise FridoError("tracking.wandb=online", got="no key", wanted="a key", do="wandb login")

    with pytest.raises(FridoError, match="wandb login"):
        DispensableTracker(name="W&B", make=wrong)


DIES = f"""
    import os, signal, sys, time
    from pathlib import Path
    from frido.tracking.tracking import Tracking

    def services():
        found = []
        for place in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = place.read_text().partition("(")[2].rpartition(")")
                if name.startswith("wandb-core") and int(rest.split()[1]) == os.getpid():
                    found.append(int(place.parent.name))
            except OSError:
                continue
        return found

    tracking, directory = Tracking(wandb="offline", **{PLAIN!r}), Path(sys.argv[1])
    tracker = tracking.open(directory, "denoiser", config={{}})
    tracker.log({{"loss": 1.0}}, images=8)
    (service,) = services()
    os.kill(service, signal.SIGKILL)
    time.sleep(0.3)
    for images in (16, 24, 32):
        tracker.log({{"loss": 1.0}}, images=images)
        tracker.table("samples", ["scene"], [["a"]], images=images)
    tracker.close()
    later = tracking.open(directory, "evaluate", config={{}})
    later.log({{"fid": 1.0}}, images=32)
    later.close()
    print("trained to the end")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="finds the service in /proc")
def test_a_service_that_is_killed(tmp_path):
    """W&B's own process, in the middle of a training; the stage after it has a new one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "FRIDO_", "RANK"))}
    command = [sys.executable, "-c", textwrap.dedent(DIES), str(tmp_path / "recipe" / "run")]
    ended = subprocess.run(command, capture_output=True, text=True, env=kept, timeout=60)
    assert ended.returncode == 0 and ended.stdout == "trained to the end\n"
    assert ended.stderr.count("W&B failed") == 1 and "Traceback" not in ended.stderr
    lines = [json.loads(line) for line in (tmp_path / "recipe" / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [8, 16, 24, 32, 32]
    (log,) = [
        path for path in (tmp_path / "recipe" / "run").glob("wandb/offline-*/*.wandb") if path.stat().st_size > 99
    ]
    assert b"fid" in log.read_bytes()


def test_a_server_that_does_not_answer(tmp_path, monkeypatch, caplog):
    """Online, with a key, and nobody there: patience, then offline."""
    for name, value in {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        tracker = Tracking(wandb="online", **PLAIN).open(tmp_path / "recipe" / "run", "denoiser", config={})
        tracker.log({"loss": 1.0}, images=8)
        tracker.close()
    assert time.monotonic() - begun < 60
    assert "cannot be reached" in caplog.text and "W&B failed" not in caplog.text
    assert list((tmp_path / "recipe" / "run").glob("wandb/offline-run-*"))
