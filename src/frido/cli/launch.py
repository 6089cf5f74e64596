"""One path into a run: compose, check, freeze, hand over to the worker."""

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from frido.cli import averages, dry_run, finished, help, prove_resume, provenance, slurm
from frido.cli.beginning import check_there
from frido.cli.compose import compose, recipe
from frido.cli.drawing import AS_FROZEN, Drawing
from frido.cli.locks import hold
from frido.cli.options import config_dir
from frido.cli.rundir import RunDirectory, dump
from frido.cli.schema import check
from frido.cli.sweep import door
from frido.contracts.errors import FridoError

FLAGS = "--help, --cfg job, or -m for a sweep"
RANK_0_SECONDS = 120


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments of `frido.run` ask for; return the exit code."""
    if {"--help", "-h"} & set(arguments):
        print(help.text(config_dir()))
        return 0
    if door.asked_for(arguments) and "--cfg" not in arguments:
        return door.run(arguments)
    overrides, show = _without_flags(arguments)
    config = compose("run", overrides)
    if show:
        print(dump(config), end="", flush=True)  # also what does not pass the check, to be looked at
    check(config)
    if show:
        return 0
    averages.refuse_before_training(config["stages"])
    if config["engine"]["dry_run"]:
        return dry_run.report(config)
    if prove_resume.NAME in config["stages"]:
        return prove_resume.run(config, name=recipe(overrides), arguments=arguments)
    return start(config, name=recipe(overrides), arguments=arguments)


def start(config: Mapping[str, Any], *, name: str, arguments: Sequence[str]) -> int:
    """Freeze a checked configuration and run its stages; a run that was begun goes on."""
    _check_machines(config["hardware"], arguments)
    directory = RunDirectory.planned(config, recipe=name)
    if int(os.environ.get("RANK", 0)) > 0:
        if finished.with_page(directory, config):
            return 0
        await_rank_0(directory, config)
        return work(directory, config["stages"])
    if config["run"]["fresh"] or not (directory.path / "config.yaml").is_file():
        check_there(config)
    if slurm.wanted(config["hardware"]):
        slurm.check(directory)
    directory.make()
    with hold(directory.path, wait=False):
        if config["run"]["fresh"]:
            _set_aside(directory)
        if finished.with_page(directory, config):
            print(f"finished already: {directory.report}")
            return 0
        directory.freeze(config)
        announce(directory, arguments, config)
        code = work(directory, config["stages"])
        if code == 0 and not slurm.wanted(config["hardware"]):
            finished.note(directory, config)
    return code


def work(directory: RunDirectory, stages: Sequence[str], *, drawing: Drawing = AS_FROZEN) -> int:
    """Call the worker, which is the first to import torch; or let Slurm call it (`hardware=slurm`)."""
    if slurm.wanted(directory.config["hardware"]):
        return slurm.submit(directory, stages, drawing=drawing)
    from frido.cli import worker

    return worker.start(directory.path, stages=stages, drawing=drawing)


def announce(directory: RunDirectory, arguments: Sequence[str], config: Mapping[str, Any]) -> None:
    """Record this command, and say where its results may differ in rounding from the commands before it."""
    print(f"run directory: {directory.path}", flush=True)
    facts = provenance.collect(door="frido.run", arguments=arguments, hardware=config["hardware"])
    for difference in provenance.record(directory.path, facts):
        print(f"note: changed since this run began, so not bit for bit the same: {difference}", file=sys.stderr)


def _without_flags(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Return the overrides, and whether `--cfg job` was among the arguments."""
    overrides, show = list(arguments), False
    if "--cfg" in overrides:
        place = overrides.index("--cfg")
        if overrides[place + 1 : place + 2] != ["job"]:
            got = " ".join(overrides[place : place + 2])
            raise FridoError("the argument --cfg", got=got, wanted="--cfg job", do="--cfg job")
        del overrides[place : place + 2]
        show = True
    for argument in overrides:
        if argument.startswith("-"):
            raise FridoError(f"the argument {argument}", got=argument, wanted=FLAGS, do="see --help")
    return overrides, show


def _set_aside(directory: RunDirectory) -> None:
    if "WORLD_SIZE" in os.environ:
        raise FridoError(
            "run.fresh=true",
            got="several processes started from outside (torchrun, srun)",
            wanted="one process that renames the earlier run",
            do=f"mv {directory.path} {directory.path}.1, and leave out run.fresh=true",
        )
    aside = directory.set_aside()
    if aside:
        print(f"set aside: {aside}")


def _check_machines(hardware: Mapping[str, Any], arguments: Sequence[str]) -> None:
    """Refuse to start alone what several machines are to do together."""
    if hardware["nodes"] == 1 or "RANK" in os.environ or slurm.wanted(hardware):
        return
    options = {
        "nnodes": hardware["nodes"],
        "nproc-per-node": hardware["devices"],
        "max-restarts": hardware["max_restarts"],
        "rdzv-backend": "c10d",
        "rdzv-endpoint": "FIRST_MACHINE:29400",
        "rdzv-id": "ANY_NAME",
    }
    # With the store that torchrun shares by itself, a process that dies is not brought back on several machines.
    store = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"
    line = " ".join([store, "torchrun", *(f"--{key}={value}" for key, value in options.items()), "-m frido.run"])
    raise FridoError(
        f"hardware.nodes={hardware['nodes']}",
        got="a command that was started on one machine",
        wanted="the same command on every machine, all of which see run.root; or Slurm, which starts them",
        do=f"{line} {shlex.join(arguments)}  (on each of them; FIRST_MACHINE is the name of one), or hardware=slurm",
    )


def await_rank_0(directory: RunDirectory, config: Mapping[str, Any]) -> None:
    """Wait until the first process has frozen the same configuration."""
    file, deadline = directory.path / "config.yaml", time.monotonic() + RANK_0_SECONDS
    while not (file.is_file() and file.read_text() == dump(config)):
        if time.monotonic() > deadline:
            do = "look at the output of rank 0, and that all ranks were given the same arguments"
            raise FridoError(str(file), got="not there", wanted="written by rank 0", do=do)
        time.sleep(0.2)
