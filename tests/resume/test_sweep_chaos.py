"""A sweep whose launcher and jobs are killed again and again: every job comes to its end once, and nothing is left."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frido.cli.sweep.status import running

JOBS, KILLS = 12, 5
SMALL = ["experiment=vg_sg2im", "data=scenes", "size=tiny", "tracking=files", "debug=smoke", "size.scenes=64",
         "data.source.val=8", "data.source.test=8", "metrics=none", "size.images=128", "size.autoencoder_images=64",
         "size.checkpoint_every_images=32", "size.samples=4", "size.watched=8", "hardware.threads=1"]  # fmt: skip


class Launched:
    """The sweep's command, in a process group that a kill does not leave."""

    def __init__(self, root: Path) -> None:
        seeds = ",".join(map(str, range(JOBS)))
        command = [sys.executable, "-m", "frido.run", "-m", *SMALL, f"run.root={root}", f"seed={seeds}"]
        with (root.parent / "launcher.txt").open("ab") as out:
            self.process = subprocess.Popen(
                [*command, "hydra.launcher.at_once=2"], stdout=out, stderr=out, start_new_session=True
            )


def jobs_at_work(root: Path) -> list[int]:
    """Return the processes of jobs that have not ended, newest attempts only."""
    found = []
    for file in root.glob("vg_sg2im/*/job/record.json"):
        last = json.loads(file.read_text())[-1]
        if last["ended"] is None and running(file.parent.parent):
            found.append(last["process"])
    return found


def processes_of(root: Path) -> list[str]:
    """Return the command lines of all processes that were given `root`."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(root) in line and file.parent.name != str(os.getpid()):
            lines.append(line)
    return lines


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are listed by /proc")
def test_twelve_jobs_and_five_kills(tmp_path):
    root, draw = tmp_path / "runs", random.Random(0)
    launched = Launched(root)
    for number in range(KILLS):
        time.sleep(draw.uniform(8, 40))
        assert launched.process.poll() is None, f"the sweep was at its end before kill {number + 1}"
        what = ("launcher", "job", "both")[number % 3]
        at_work = jobs_at_work(root)
        if what != "job":
            launched.process.kill()
            launched.process.wait()
        killed = [] if what == "launcher" else at_work
        for process in killed:
            os.kill(process, signal.SIGKILL)
        print(f"kill {number + 1}: {what}, {len(killed)} of {len(at_work)} jobs")
        if what != "job":
            launched = Launched(root)
    assert launched.process.wait() == 0, (tmp_path / "launcher.txt").read_text()[-3000:]

    records = [json.loads(file.read_text()) for file in root.glob("vg_sg2im/*/job/record.json")]
    ended = [[attempt["code"] for attempt in attempts] for attempts in records]
    print(f"{sum(map(len, ended))} attempts, of which {sum(code is None for codes in ended for code in codes)} cut off")
    assert len(ended) == JOBS and all(codes[-1] == 0 and codes.count(0) == 1 for codes in ended)
    (study,) = root.glob("studies/*/study.json")
    assert [job["status"] for job in json.loads(study.read_text())["jobs"]] == ["finished"] * JOBS
    assert len(list(root.glob("vg_sg2im/*/report.html"))) == JOBS
    deadline = time.monotonic() + 30  # workers of a loader notice within seconds that their process is gone
    while processes_of(root) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert processes_of(root) == []
