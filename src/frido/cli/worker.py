"""The worker: runs the stages of a frozen run directory, alone or as one of torchrun's processes.

It reads `config.yaml` as data and never composes anything.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from frido.cli.drawing import Drawing
from frido.cli.errors import door


def start(directory: Path, *, stages: Sequence[str], drawing: Drawing) -> int:
    """Run `stages` in `directory`, in this process or under a torchrun of our own; return the exit code.

    Already under torchrun or a Slurm task (RANK is set), this process is one of the workers.
    """
    import yaml

    arguments = [str(directory), "--stages", *stages, "--drawing", json.dumps(drawing.to_json())]
    devices = yaml.safe_load((directory / "config.yaml").read_text())["hardware"]["devices"]
    if devices == 1 or "RANK" in os.environ:
        return main(arguments)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
    return _forwarding([*torchrun, "-m", "frido.cli.worker", *arguments])


def _forwarding(command: Sequence[str]) -> int:
    """Run `command`, pass on requests to stop, and return its exit code or the one that such a request stands for."""
    from frido.engine.signals import CODES

    asked = 0
    process = subprocess.Popen(command)

    def forward(number: int, _: object) -> None:
        nonlocal asked
        asked = CODES[signal.Signals(number)]
        process.send_signal(signal.SIGTERM)  # torchrun passes it on to the workers, which save and leave

    before = {number: signal.signal(number, forward) for number in CODES}
    try:
        return process.wait() and (asked or 1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@door
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m frido.cli.worker", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--stages", nargs="+", required=True)
    parser.add_argument("--drawing", type=json.loads, required=True, help="JSON of frido.cli.drawing.Drawing")
    arguments = parser.parse_args(argv)

    from frido.cli.session import Session
    from frido.cli.stages import STAGES

    with Session.open(arguments.directory, drawing=Drawing.from_json(arguments.drawing)) as session:
        for name in arguments.stages:
            STAGES[name](session)
    return 0


if __name__ == "__main__":
    sys.exit(main())
