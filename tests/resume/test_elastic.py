"""A run of the main job in two processes: one is killed, bad input is refused, all is on two machines, or by Slurm.

The quick form of the first and the third is in tests/engine/test_distributed.py, that of the last in
tests/cli/test_launch.py.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frido.engine.distributed import NOT_SHARED

RECIPE = [
    *("experiment=vg_sg2im", "data=scenes", "size=tiny", "tracking=files", "debug=smoke", "size.scenes=64"),
    *("data.source.val=8", "data.source.test=8", "metrics=none", "size.resolution=32", "size.images=320"),
    *("size.autoencoder_images=96", "size.checkpoint_every_images=32", "size.samples=4", "hardware.threads=1"),
    *("hardware.precision=fp32", "hardware.device=cpu", "stages=[data,autoencoder,latents,denoiser]"),
]
TWO = ["hardware=ddp", "hardware.devices=2"]
CHECKPOINT = "vg_sg2im/*/checkpoints/0*"


def command(root: Path, *overrides: str) -> list[str]:
    return ["-m", "frido.run", *RECIPE, *overrides, f"run.root={root}"]


def wait(moment: Callable[[], object], seconds: float = 300) -> object:
    """Return what is true in the end; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := moment()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return found


def worker(rank: int, root: Path) -> int | None:
    """Return the process that is this rank of a run below `root`."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:  # it has ended
            continue
        if b"frido.cli.worker" in words and str(root).encode() in words and f"\0RANK={rank}\0".encode() in environment:
            return int(folder.name)
    return None


def results(root: Path) -> dict[str, bytes]:
    """Return what a run leaves, by path: both stages' checkpoints and numbers, the autoencoder, the latents."""
    patterns = ("checkpoints/0*/*", "metrics.jsonl", "*.safetensors")
    folders = ("stages/autoencoder/*", "stages/latents/*", "vg_sg2im/*")
    files = [file for folder in folders for pattern in patterns for file in root.glob(f"{folder}/{pattern}")]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> dict[str, bytes]:
    """What a run leaves that nothing happened to."""
    root = tmp_path_factory.mktemp("quiet")
    done = subprocess.run([sys.executable, *command(root, *TWO)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return results(root)


def assert_same(quiet: dict[str, bytes], root: Path) -> None:
    found = results(root)
    assert sum(name.endswith("optimizer.safetensors") for name in found) == 4
    assert found.keys() == quiet.keys() and [name for name in quiet if quiet[name] != found[name]] == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the worker in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_command_survives_a_rank(tmp_path, quiet, number):
    """It ends well, though a rank was killed, or stood still until the other one gave it up."""
    quickly = "hardware.stalled_after_minutes=0.5"
    with subprocess.Popen([sys.executable, *command(tmp_path, *TWO, quickly)], stderr=subprocess.PIPE) as process:
        wait(lambda: next(tmp_path.glob(CHECKPOINT), None))
        os.kill(worker(1, tmp_path), number)
        _, said = process.communicate(timeout=500)
    assert process.returncode == 0, said.decode()
    assert b"rank 0 lost another of the 2 processes" in said
    assert_same(quiet, tmp_path)


@pytest.mark.slow
def test_a_refusal_is_not_repeated(tmp_path):
    """Both ranks refuse, once, though torchrun would start them four times."""
    arguments = command(tmp_path, *TWO, "hardware.device=cuda")
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=hidden)
    assert done.returncode == 2
    assert 1 <= done.stderr.count("error: hardware.device=cuda") <= 2


@pytest.mark.slow
def test_a_request_to_one_worker_stops_all_for_good(tmp_path, quiet):
    with subprocess.Popen([sys.executable, *command(tmp_path, *TWO)], stderr=subprocess.PIPE) as process:
        wait(lambda: next(tmp_path.glob(CHECKPOINT), None))
        os.kill(worker(1, tmp_path), signal.SIGUSR1)
        process.communicate(timeout=300)
    assert process.returncode == 75
    assert worker(0, tmp_path) is None
    assert subprocess.run([sys.executable, *command(tmp_path, *TWO)], capture_output=True).returncode == 0
    assert_same(quiet, tmp_path)


@pytest.mark.slow
def test_workers_without_their_parent_keep_others_out(tmp_path):
    with subprocess.Popen([sys.executable, *command(tmp_path, *TWO)], stderr=subprocess.DEVNULL) as process:
        wait(lambda: next(tmp_path.glob(CHECKPOINT), None))
        process.kill()
    left = worker(0, tmp_path)
    again = subprocess.run([sys.executable, *command(tmp_path, *TWO)], capture_output=True, text=True)
    assert again.returncode == 2 and f"in use by process {left}" in again.stderr
    os.kill(left, signal.SIGTERM)
    wait(lambda: worker(0, tmp_path) is None and worker(1, tmp_path) is None)


@pytest.mark.slow
def test_two_machines(tmp_path, quiet):
    """Two torchruns on this machine, as on two; the second command is refused while they work."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=test"]
    torchrun = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--max-restarts=1", *meeting]
    arguments = [*torchrun, "--local-addr=127.0.0.1", *command(tmp_path, "hardware=ddp", "hardware.devices=1")]
    arguments += ["hardware.nodes=2"]
    environment = os.environ | {NOT_SHARED: "1", "OMP_NUM_THREADS": "1"}
    agents = [subprocess.Popen([sys.executable, *arguments], env=environment) for _ in range(2)]
    try:
        wait(lambda: next(tmp_path.glob(CHECKPOINT), None))
        second = [sys.executable, *command(tmp_path, *TWO)]
        assert "in use by process" in subprocess.run(second, capture_output=True, text=True).stderr
        assert [agent.wait(timeout=300) for agent in agents] == [0, 0]
    finally:
        for agent in agents:
            agent.terminate()
            agent.wait()
    assert_same(quiet, tmp_path)


@pytest.fixture
def cluster() -> Iterator[None]:
    """A Slurm that answers; the comment at the end of this file says how to have one on a single machine."""
    if shutil.which("sbatch") is None:
        pytest.skip("no sbatch on this machine: see the end of this file")
    if subprocess.run(["sinfo", "-h", "-t", "idle,mix"], capture_output=True).stdout == b"":
        pytest.skip("sinfo knows no machine that is free")
    yield


@pytest.mark.slow
def test_slurm_warns_and_the_job_goes_on(tmp_path, quiet, cluster):
    """The warning before the time limit: the job saves, is put into the queue again, and ends with the same bits."""

    def state() -> str:
        asked = subprocess.run(["squeue", "-h", "-j", number, "-o", "%T"], capture_output=True, text=True)
        return asked.stdout.strip()

    job = ["hardware=slurm", "hardware.devices=2", "hardware.slurm.gpus_per_node=null"]
    limits = ["hardware.slurm.time_minutes=30", "hardware.slurm.warn_seconds=60"]
    submitted = subprocess.run([sys.executable, *command(tmp_path, *job, *limits)], capture_output=True, text=True)
    assert submitted.returncode == 0, submitted.stderr
    number = submitted.stdout.partition("job ")[2].partition(":")[0]
    try:
        wait(lambda: next(tmp_path.glob(CHECKPOINT), None))
        again = subprocess.run([sys.executable, *command(tmp_path, *job, *limits)], capture_output=True, text=True)
        assert again.returncode == 2 and f"scancel {number}" in again.stderr
        subprocess.run(["scancel", "--signal=USR2", number], check=True)
        wait(lambda: state() == "PENDING")
        wait(lambda: next(tmp_path.glob("vg_sg2im/*/finished.json"), None), seconds=500)
    finally:
        subprocess.run(["scancel", number])
    assert_same(quiet, tmp_path)


# A Slurm of one machine, on Debian, as root: apt-get install slurm-wlm munge; a key of 1024 random bytes in
# /etc/munge/munge.key (owner munge, mode 400); munged as user munge. /etc/slurm/slurm.conf, with the name that
# `hostname -s` says in the place of HOST, and three folders that exist:
#
#   ClusterName=here
#   SlurmctldHost=HOST
#   SlurmUser=root
#   StateSaveLocation=FOLDER/state
#   SlurmdSpoolDir=FOLDER/spool
#   SlurmctldLogFile=FOLDER/log/slurmctld
#   SlurmdLogFile=FOLDER/log/slurmd
#   ProctrackType=proctrack/linuxproc
#   TaskPlugin=task/none
#   SelectType=select/cons_tres
#   SelectTypeParameters=CR_Core
#   JobAcctGatherType=jobacct_gather/none
#   AccountingStorageType=accounting_storage/none
#   MpiDefault=none
#   ReturnToService=2
#   SwitchType=switch/none
#   NodeName=HOST CPUs=2 State=UNKNOWN
#   PartitionName=main Nodes=HOST Default=YES MaxTime=INFINITE State=UP
#
# Then slurmctld, and slurmd. A job that was put back waits two minutes before it starts again: that is Slurm's way.
