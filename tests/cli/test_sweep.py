"""Sweeps: jobs of their own processes, whose status is read from their folders."""

import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from frido.cli import finished
from frido.cli.errors import BAD_INPUT
from frido.cli.locks import hold
from frido.cli.proof import processes
from frido.cli.rundir import RunDirectory
from frido.cli.sweep import door, record, runner
from frido.cli.sweep.jobs import Job, plan
from frido.cli.sweep.local import Local
from frido.cli.sweep.show import Show, images_seen
from frido.cli.sweep.status import RESUMABLE, Status, claim, status, why
from frido.cli.sweep.study import Study
from frido.cli.sweep.submitted import Submitted
from frido.contracts.errors import FridoError
from frido.run import main

QUICK = ["stages=[data,report]", "size.scenes=8", "data.source.val=4", "data.source.test=4", "hardware.threads=1"]
"""Overrides of a run that is at its end in a few seconds."""


def job(root: Path, *overrides: str) -> Job:
    (made,) = plan([[*QUICK, f"run.root={root}", *overrides]])
    return made


def sweep(root: Path, *arguments: str) -> int:
    return main(["-m", *QUICK, f"run.root={root}", *arguments])


def cards(root: Path) -> list[dict]:
    (file,) = root.glob("studies/*/study.json")
    return json.loads(file.read_text())["jobs"]


# What a job is doing


def wait_for(found: Callable[[], object]) -> None:
    while not found():
        pass


def test_status_is_read_from_the_folder(tmp_path):
    one = job(tmp_path)
    assert status(one) == Status.WAITING
    one.directory.freeze(one.config)
    assert status(one) == Status.CUT_OFF
    for folder in (claim(one.path), one.path, one.path / "worker"):
        with hold(folder, wait=False):
            assert status(one) == Status.RUNNING
    record.begin(one.path, ["a", "command"])
    assert status(one) == Status.CUT_OFF
    for code, known in (
        (1, Status.FAILED),
        (BAD_INPUT, Status.FAILED),
        (RESUMABLE, Status.CUT_OFF),
        (0, Status.CUT_OFF),
    ):
        record.end(one.path, code)
        assert status(one) == known
    record.begin(one.path, ["a", "command"])
    assert status(one) == Status.CUT_OFF, "the last attempt counts"
    (one.path / "report.html").write_text("a page")
    finished.note(one.directory, one.config)
    assert status(one) == Status.FINISHED
    with hold(claim(one.path), wait=False):
        assert status(one) == Status.RUNNING


def test_resumable_is_the_engines():
    from frido.engine import signals

    assert RESUMABLE == signals.RESUMABLE


def test_other_metrics_are_to_be_measured_again_and_nothing_trained(tmp_path):
    everything = ["stages=[data,autoencoder,latents,denoiser,sample,evaluate,report]"]
    one, other = job(tmp_path, *everything), job(tmp_path, *everything, "metrics=none")
    assert one.path == other.path
    one.path.mkdir(parents=True)
    (one.path / "report.html").write_text("a page")
    finished.note(one.directory, one.config)
    assert finished.with_page(one.directory, one.config) and not finished.with_page(other.directory, other.config)
    assert "denoiser" in finished.stages(other.directory, other.config["metrics"])
    finished.note(other.directory, other.config)
    assert finished.with_page(other.directory, other.config) and not finished.with_page(one.directory, one.config)


def test_the_end_of_a_log_says_why(tmp_path):
    one = job(tmp_path)
    assert why(one) is None
    log = record.begin(one.path, [])
    log.write_text("at work\nerror: size.batch\n  got:    0\n  wanted: 1 or more\n  do:     size.batch=1\n")
    assert why(one) == "error: size.batch\n  got:    0\n  wanted: 1 or more\n  do:     size.batch=1"
    log.write_text("Traceback ...\nValueError: no\n\n")
    assert why(one) == "ValueError: no"


# Which jobs there are


def test_a_run_is_one_job_however_often_it_is_asked_for():
    jobs = plan([["seed=1"], ["seed=0", "study=gating"], ["seed=0"], ["seed=0", "hardware.threads=1"]])
    assert [one.overrides for one in jobs] == [("seed=1",), ("seed=0",)]


@pytest.mark.parametrize(
    "override", ["run.fresh=true", "engine.dry_run=true", "stages=[prove_resume]", "stages=[data]"]
)
def test_what_has_no_end_is_no_job(override):
    with pytest.raises(FridoError, match="until they have a page"):
        plan([[override]])


def test_all_jobs_are_checked_before_any_begins(tmp_path, capsys):
    assert sweep(tmp_path / "runs", "seed=0,1", "size.width=48,0") == BAD_INPUT
    assert "size.width" in capsys.readouterr().err
    assert not list(tmp_path.rglob("config.yaml"))


def test_a_study_has_its_own_folder_and_what_is_changed_of_it_another():
    assert door.name(["study=gating"]) == "gating"
    assert door.name(["study=gating", "hardware.threads=1", "run.root=x", "tracking=files"]) == "gating"
    changed = door.name(["study=gating", "seed=7"])
    assert changed.startswith("gating-") and changed != door.name(["study=gating", "seed=8"])
    assert door.name(["seed=0,1"]) == door.name(["run.root=elsewhere", "seed=0,1"])


@pytest.mark.parametrize(
    ("reference", "arms", "said"),
    [("spade", "shared,per_scale", "one of the arms"), ("shared", "shared,spade", "compute the same")],
)
def test_a_study_that_compares_nothing_is_refused(tmp_path, capsys, monkeypatch, reference, arms, said):
    """The trunk `shared` and the gate `spade` are those that the experiment has anyway."""
    composed = door.compose
    compared = {"comparison": {"reference": reference}}
    monkeypatch.setattr(door, "compose", lambda *given: {**composed(*given), **compared})
    assert sweep(tmp_path / "runs", f"arm={arms}") == BAD_INPUT
    assert said in capsys.readouterr().err
    assert not list(tmp_path.rglob("config.yaml"))


# The loop, without processes


class Toy(runner.Starter):
    """Ends every job at once with the exit codes it is given, in order; the last one again and again."""

    poll_seconds = 0.0

    def __init__(self, codes: Mapping[Job, list[int]]) -> None:
        self.codes, self.starts, self.ended = codes, Counter[Job](), dict[Job, int | None]()
        self.asked = self.killed = False

    def room(self) -> bool:
        return not self.ended

    def start(self, job: Job) -> None:
        codes = self.codes[job]
        code = codes[min(self.starts[job], len(codes) - 1)]
        self.starts[job] += 1
        record.begin(job.path, [])
        record.end(job.path, code)
        if code == 0:
            (job.path / "report.html").write_text("a page")
            finished.note(job.directory, job.config)
        self.ended[job] = code

    def collect(self) -> dict[Job, int | None]:
        ended, self.ended = self.ended, {}
        return ended

    def busy(self) -> set[Job]:
        return set()

    def ask_to_stop(self) -> None:
        self.asked = True

    def kill(self) -> None:
        self.killed = True


@pytest.fixture
def study(tmp_path) -> Study:
    config = dict(job(tmp_path).config)
    jobs = [
        Job((f"seed={k}",), config | {"seed": k}, RunDirectory.planned(config | {"seed": k}, recipe="main"))
        for k in range(4)
    ]
    return Study(folder=tmp_path / "studies" / "toy", arguments=["-m"], comparison=None, jobs=jobs)


def silent(found: Mapping[Job, Status]) -> None:
    pass


def test_a_failure_stops_nothing_and_is_tried_again_so_often(study):
    codes = dict(zip(study.jobs, ([0], [1, 0], [1], [BAD_INPUT]), strict=True))
    toy = Toy(codes)
    assert runner.run(study, toy, retries=2, show=silent) == 1
    assert [toy.starts[one] for one in study.jobs] == [1, 2, 3, 1]
    told = json.loads((study.folder / "study.json").read_text())["jobs"]
    assert [one["status"] for one in told] == ["finished", "finished", "failed", "failed"]
    again = Toy({one: [0] for one in study.jobs})
    assert runner.run(study, again, retries=2, show=silent) == 0
    assert [again.starts[one] for one in study.jobs] == [0, 0, 1, 1]


def test_what_somebody_else_runs_is_waited_for(study):
    theirs, looks = study.jobs[1], []
    toy = Toy({one: [0] for one in study.jobs})

    def show(found: Mapping[Job, Status]) -> None:
        looks.append(found[theirs])
        if looks.count(Status.RUNNING) == 9:
            lock.__exit__(None, None, None)
            Toy.start(toy, theirs)
            toy.starts[theirs], toy.ended = 0, {}

    lock = hold(claim(theirs.path), wait=False)
    lock.__enter__()
    assert runner.run(study, toy, retries=0, show=show) == 0
    assert toy.starts[theirs] == 0 and looks[-1] == Status.FINISHED


def test_a_request_to_stop_starts_nothing_more(study):
    toy = Toy({one: [0] for one in study.jobs})

    def show(found: Mapping[Job, Status]) -> None:
        if toy.starts.total() == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    assert runner.run(study, toy, retries=0, show=show) == RESUMABLE
    assert toy.asked and toy.starts.total() <= 3


def test_what_goes_wrong_here_leaves_no_job_behind(study):
    toy = Toy({})
    with pytest.raises(KeyError):
        runner.run(study, toy, retries=0, show=silent)
    assert toy.killed


def test_devices_are_shared_out(study):
    with pytest.raises(FridoError, match="at_once"):
        Local(study, at_once=0, devices=None)
    with pytest.raises(FridoError, match="devices"):
        Local(study, at_once=3, devices=[0, 1])


# What a person sees


def test_the_table_names_what_differs_between_jobs(study, tmp_path):
    (study.jobs[2].path).mkdir(parents=True)
    (study.jobs[2].path / "metrics.jsonl").write_text('{"images": 64, "a": 1.0}\n{"images": 128, "a": 0.5}\n{"ima')
    (study.jobs[2].path / "config.yaml").write_text("{}")
    assert study.varied() == ["seed=0", "seed=1", "seed=2", "seed=3"]
    console = Console(record=True, width=160, file=io.StringIO())
    console.print(Show(study, console=console).table(study.look()))
    text = console.export_text()
    assert "1 cut off, 3 waiting" in text and "128 of 30720" in text
    assert images_seen(study.jobs[0].path) == 0


# Real processes


def test_a_sweep_runs_its_jobs_once_and_a_failure_is_only_its_own(tmp_path, capsys):
    root = tmp_path / "runs"
    arguments = ["data.source.train=0,${size.scenes}", "hydra.launcher.retries=0"]
    assert sweep(root, *arguments) == 1
    told = capsys.readouterr()
    assert [one["status"] for one in cards(root)] == ["failed", "finished"]
    assert cards(root)[1]["attempts"] == 1 and cards(root)[0]["error"].startswith("error: ")
    assert "Traceback" not in told.err + told.out and "HYDRA_FULL_ERROR" not in told.err
    (page,) = root.glob("studies/*/report.html")
    assert str(page) in told.out
    for one in cards(root):
        run = page.parent / one["directory"]
        assert yaml.safe_load((run / "config.yaml").read_text())["seed"] == one["seed"]
        assert (run / "job" / "attempt-001.log").is_file()
    before = {one["directory"]: one["attempts"] for one in cards(root)}
    assert sweep(root, *arguments) == 1
    after = {one["directory"]: (one["status"], one["attempts"]) for one in cards(root)}
    assert all(attempts == before[run] for run, (known, attempts) in after.items() if known == "finished")
    assert all(attempts > before[run] for run, (known, attempts) in after.items() if known == "failed")


def test_commands_can_be_printed_instead(tmp_path, capsys):
    assert sweep(tmp_path / "runs", "seed=0,1", "hydra/launcher=print") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("python -m frido.run ") and f"seed={k}" in line for k, line in enumerate(lines)] == [
        True
    ] * 2
    assert not list(tmp_path.rglob("config.yaml"))


@pytest.fixture
def launcher(tmp_path):
    """Start a launcher of two jobs in a process of its own."""
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        command = [sys.executable, "-m", "frido.run", "-m", *QUICK, f"run.root={tmp_path / 'runs'}", "seed=0,1"]
        with (tmp_path / "launcher.txt").open("ab") as out:
            started.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        processes.kill(process)


def test_two_launchers_at_once_run_every_job_once(launcher, tmp_path):
    both = [launcher(), launcher()]
    assert [process.wait() for process in both] == [0, 0], (tmp_path / "launcher.txt").read_text()
    assert [(one["status"], one["attempts"]) for one in cards(tmp_path / "runs")] == [("finished", 1)] * 2


def test_a_job_outlives_its_launcher_and_the_next_one_waits_for_it(launcher, tmp_path):
    first = launcher()
    wait_for(lambda: list(tmp_path.glob("runs/main/*/job/record.json")))
    first.kill()
    first.wait()
    assert launcher().wait() == 0, (tmp_path / "launcher.txt").read_text()
    assert [(one["status"], one["attempts"]) for one in cards(tmp_path / "runs")] == [("finished", 1)] * 2


def test_a_job_that_is_killed_is_continued(launcher, tmp_path):
    process = launcher()
    wait_for(lambda: list(tmp_path.glob("runs/main/*/job/record.json")))
    (file,) = tmp_path.glob("runs/main/*/job/record.json")
    os.kill(json.loads(file.read_text())[0]["process"], signal.SIGKILL)
    assert process.wait() == 0, (tmp_path / "launcher.txt").read_text()
    assert [one["code"] for one in json.loads(file.read_text())] == [None, 0]
    assert sorted(one["attempts"] for one in cards(tmp_path / "runs")) == [1, 2]


# Slurm


@pytest.fixture
def queue(tmp_path, monkeypatch) -> Path:
    """Programs in the place of Slurm's; what lies in the returned folder is in the queue."""
    folder, programs = tmp_path / "queue", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    for name, text in (
        ("sbatch", f"n=$(ls {tmp_path}/scripts | wc -l); cp $1 {tmp_path}/scripts/$n; touch {folder}/$n; "
                   'echo "Submitted batch job $n"'),
        ("squeue", f"[ -f {folder}/$3 ] && echo PENDING || exit 1"),
        ("srun", ""),
    ):  # fmt: skip
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o700)
    (tmp_path / "scripts").mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return folder


def test_jobs_of_slurm_are_submitted_and_found_in_the_queue_again(queue, tmp_path):
    jobs = plan([[*QUICK, "hardware=slurm", f"run.root={tmp_path / 'runs'}", f"seed={seed}"] for seed in range(2)])
    folder = tmp_path / "runs" / "studies" / "toy"
    study = Study(folder=folder, arguments=["-m"], comparison=None, jobs=jobs)
    starter = Submitted(study, at_once=1, poll_seconds=0.0)
    looks: list[list[Status]] = []

    def show(found: Mapping[Job, Status]) -> None:
        looks.append([found[one] for one in jobs])
        if Status.RUNNING in looks[-1] and looks.count(looks[-1]) == 3:  # Slurm has run the job, and it is at its end
            (one,) = (one for one in jobs if found[one] == Status.RUNNING)
            (one.path / "report.html").write_text("a page")
            finished.note(one.directory, one.config)
            next(queue.iterdir()).unlink()

    assert runner.run(study, starter, retries=0, show=show) == 0
    assert len(list((tmp_path / "scripts").iterdir())) == 2, (folder / "launcher.log").read_text()
    assert [Status.RUNNING, Status.WAITING] in looks and [Status.RUNNING, Status.RUNNING] not in looks
    other = Submitted(study, at_once=1, poll_seconds=0.0)
    assert runner.run(study, other, retries=0, show=silent) == 0
    assert len(list((tmp_path / "scripts").iterdir())) == 2


def test_slurm_runs_only_what_asks_it_for_something(study, queue):
    with pytest.raises(FridoError, match="hardware=slurm"):
        Submitted(study, at_once=1, poll_seconds=1.0)
    asks = plan([[*QUICK, "hardware=slurm"]])
    with pytest.raises(FridoError, match="hydra/launcher=slurm"):
        Local(Study(folder=queue, arguments=[], comparison=None, jobs=asks), at_once=1, devices=None)
