"""The worker: runs the stages of a frozen run directory, alone or as one of torchrun's processes.

It reads `config.yaml` as data and never composes anything.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from frido.cli import ending
from frido.cli.drawing import Drawing
from frido.cli.errors import door
from frido.cli.locks import hold
from frido.cli.proof import processes

LOST_RANK = 1
"""Exit code of a worker that could not go on without another one; torchrun may start all of them again."""

ONE_MACHINE = ("--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0")
"""Where the processes of one machine meet: at a port that is free."""

SECONDS_TO_SAVE = 600
"""How long torchrun waits for workers that were asked to stop, where `TORCH_ELASTIC_SHUTDOWN_TIMEOUT` is not set."""


def start(directory: Path, *, stages: Sequence[str], drawing: Drawing) -> int:
    """Run `stages` in `directory`, in this process or under a torchrun of our own; return the exit code.

    Already under torchrun (RANK is set), this process is one of the workers.
    """
    import yaml

    hardware = yaml.safe_load((directory / "config.yaml").read_text())["hardware"]
    if hardware["devices"] == 1 or "RANK" in os.environ:
        ended = ending.before_a_restart(directory)
        if ended is not None:
            return ended
        with ending.told(directory):
            return work(directory, stages=stages, drawing=drawing)
    return torchrun(directory, stages=stages, drawing=drawing, options=ONE_MACHINE, name=uuid.uuid4().hex)


def torchrun(directory: Path, *, stages: Sequence[str], drawing: Drawing, options: Sequence[str], name: str) -> int:
    """Run `stages` in processes of torchrun, one per device of this machine; return the exit code.

    Args:
        directory: Run directory.
        stages: In their order.
        drawing: What is to be drawn.
        options: Of torchrun: where the processes of all machines meet.
        name: Of this start and of no other, the same on all machines (`--rdzv-id`).
    """
    import yaml

    hardware = yaml.safe_load((directory / "config.yaml").read_text())["hardware"]
    processes_and_restarts = [f"--nproc-per-node={hardware['devices']}", f"--max-restarts={hardware['max_restarts']}"]
    launcher = [sys.executable, "-m", "torch.distributed.run", *processes_and_restarts, f"--rdzv-id={name}", *options]
    arguments = [str(directory), "--stages", *stages, "--drawing", json.dumps(drawing.to_json())]
    failed, asked = _forwarding([*launcher, "-m", "frido.cli.worker", *arguments])
    return failed and (ending.code(directory, torchrun=name) or asked or failed)


def _forwarding(command: Sequence[str]) -> tuple[int, int]:
    """Run `command` and pass on requests to stop; return its exit code, and the one that such a request stands for.

    torchrun must hear of it once: it gives up its workers when it is asked again while they save.
    """
    from frido.engine.signals import CODES, INTERRUPTED, RESUMABLE

    asked = 0
    environment = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(SECONDS_TO_SAVE), **os.environ}
    # In a session of its own: what a terminal sends to everybody is passed on from here like all else.
    process = subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=_deaf_to_warnings)

    def forward(number: int, _: object) -> None:
        nonlocal asked
        if number == signal.SIGINT and asked == INTERRUPTED:
            raise KeyboardInterrupt
        if not asked:
            process.send_signal(signal.SIGTERM)  # torchrun passes it on to the workers, which save and leave
        asked = codes[signal.Signals(number)]

    codes = {**CODES, signal.SIGHUP: RESUMABLE}
    before = {number: signal.signal(number, forward) for number in codes}
    try:
        failed = process.wait()
    except KeyboardInterrupt:
        processes.kill(process)
        failed = LOST_RANK
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return failed and LOST_RANK, asked


def _deaf_to_warnings() -> None:
    """Ignore what Slurm warns all processes of a job with, and this one alone is to answer; for what is started."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def work(directory: Path, *, stages: Sequence[str], drawing: Drawing) -> int:
    """Run `stages` as one of the processes of a training; return the exit code."""
    from frido.cli.session import Session
    from frido.cli.stages import STAGES
    from frido.engine.distributed import RankLostError

    try:
        with Session.open(directory, drawing=drawing) as session:
            for name in stages:
                STAGES[name](session)
    except RankLostError as lost:
        print(f"error: {lost}", file=sys.stderr)
        return LOST_RANK
    return 0


@door
def main(argv: Sequence[str] | None = None) -> int:
    """Run as one of the processes of our own torchrun, whose parent holds the run directory.

    The first rank has a lock of its own, since a parent that was killed leaves its workers behind.
    """
    parser = argparse.ArgumentParser(prog="python -m frido.cli.worker", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--stages", nargs="+", required=True)
    parser.add_argument("--drawing", type=json.loads, required=True, help="JSON of frido.cli.drawing.Drawing")
    arguments = parser.parse_args(argv)
    ended = ending.code(arguments.directory, torchrun=os.environ["TORCHELASTIC_RUN_ID"])
    if ended is not None:
        return ended
    first = os.environ["RANK"] == "0"
    with ending.told(arguments.directory), hold(arguments.directory / "worker", wait=False) if first else nullcontext():
        return work(arguments.directory, stages=arguments.stages, drawing=Drawing.from_json(arguments.drawing))


if __name__ == "__main__":
    sys.exit(main())
