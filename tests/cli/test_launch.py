"""Several machines: what is refused, what is submitted, and what other ranks than the first do."""

import json
import os
import signal
import stat
from pathlib import Path

import pytest
import yaml

from frido.cli import launch, slurm, worker
from frido.cli.drawing import AS_FROZEN
from frido.run import main

SLURM = """
    # A job.
    device: cpu
    devices: 2
    nodes: {nodes}
    precision: fp32
    tf32: false
    channels_last: false
    compile: none
    threads: 1
    max_restarts: 2
    stalled_after_minutes: 30.0
    slurm:
      partition: main
      account: null
      time_minutes: 60
      gpus_per_node: null
      cpus_per_node: 2
      mem_gb: null
      warn_seconds: 30
      additional: {{qos: high}}
"""
SBATCH = """#!/bin/sh
cat "$1" > {folder}/script
echo Submitted batch job 17
"""


def only_run() -> Path:
    (config,) = Path("runs").rglob("config.yaml")
    return config.parent


def test_several_machines_are_told_what_to_type(conf, worked, refused):
    said = refused("hardware.nodes=2", "hardware.devices=4", "experiment=gating/film")
    assert "torchrun --nnodes=2 --nproc-per-node=4 --max-restarts=" in said and "--rdzv-backend=c10d" in said
    assert "-m frido.run hardware.nodes=2 hardware.devices=4 experiment=gating/film" in said
    assert not worked and not Path("runs").exists()


def test_several_machines_under_torchrun(conf, worked, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    assert main(["hardware.nodes=2", "hardware.devices=2"]) == 0
    assert len(worked) == 1


def test_a_finished_run_is_finished_on_every_rank(conf, worked, monkeypatch):
    """Whatever the hardware of the command; a rank that went on would wait for the first in vain."""
    main([])
    monkeypatch.setattr(launch, "RANK_0_SECONDS", 0)
    monkeypatch.setenv("RANK", "1")
    assert main(["hardware.threads=3"]) == 0
    assert len(worked) == 1


@pytest.fixture
def programs(conf, tmp_path, monkeypatch):
    """A folder for programs in the place of Slurm's."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)

    (conf / "hardware" / "slurm.yaml").write_text(SLURM.replace("\n    ", "\n").format(nodes=3))
    write("sbatch", SBATCH.format(folder=folder))
    write("srun", "#!/bin/sh\n")
    write("squeue", "#!/bin/sh\nexit 1\n")
    return write


def test_a_job_is_submitted_once(programs, conf, worked, refused, capsys, tmp_path):
    assert main(["hardware=slurm"]) == 0
    directory = only_run()
    assert yaml.safe_load((directory / "config.yaml").read_text())["hardware"]["slurm"]["partition"] == "main"
    assert not worked and not (directory / "finished.json").exists()
    script = (tmp_path / "programs" / "script").read_text()
    for line in ("nodes=3", "ntasks-per-node=1", "partition=main", "time=60", "cpus-per-task=2", "signal=USR2@30"):
        assert f"#SBATCH --{line}\n" in script
    assert "#SBATCH --requeue\n" in script and "#SBATCH --qos=high\n" in script and "account" not in script
    assert json.loads((directory / "slurm" / "job.json").read_text())["job"] == "17"
    said = capsys.readouterr().out
    assert "job 17" in said and "17_0_log.out" in said
    programs("squeue", "#!/bin/sh\necho PENDING\n")
    assert "scancel 17" in refused("hardware=slurm")


def test_what_slurm_says_is_passed_on(programs, conf, capsys):
    programs("sbatch", "#!/bin/sh\necho 'sbatch: error: invalid partition specified: main' >&2; exit 1\n")
    assert main(["hardware=slurm"]) == 2
    assert "got:    sbatch: error: invalid partition specified: main" in capsys.readouterr().err


def test_without_slurm_nothing_is_submitted(programs, conf, refused, monkeypatch):
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    assert "hardware=ddp" in refused("hardware=slurm")


@pytest.mark.parametrize(
    ("code", "said", "again"), [(75, "RUNNING", True), (75, "COMPLETING", False), (2, "RUNNING", False)]
)
def test_a_job_that_was_asked_to_stop_goes_back_into_the_queue(
    programs, conf, worked, tmp_path, monkeypatch, code, said, again
):
    """Not where it was cancelled, and not where it would only be refused again."""
    main([])
    programs("squeue", f"#!/bin/sh\necho {said}\n")
    programs("scontrol", f"#!/bin/sh\necho $* > {tmp_path}/requeued\n")
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setattr(worker, "torchrun", lambda *_, **__: code)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    try:
        with pytest.raises(SystemExit) as left:
            slurm.Job(directory=only_run().resolve(), stages=["data"], drawing=AS_FROZEN)()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert left.value.code == code
    assert (tmp_path / "requeued").exists() == again
