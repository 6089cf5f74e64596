"""`python -m frido.pack`: a raw dataset in, shards out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.cli import datasets, options, schema
from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.pack_summary import summary
from frido.contracts.errors import FridoError, nearest

HELP = """\
Turn a raw dataset into shards that training reads.

  python -m frido.pack source=visual_genome source.root=DIR out=datasets/vg_sg2im
  python -m frido.pack source=scenes out=DIR                      procedural scenes, as shards
  python -m frido.pack source=scenes format=visual_genome out=DIR the same, written like Visual Genome's own files
  python -m frido.pack source=... out=... --cfg job               print the resulting configuration, write nothing

For a small sample of Visual Genome the vocabulary's thresholds have to come down:
  source.splits=FILE source.filters.frequent_attributes.least=1 source.filters.frequent_categories.least=1
  source.filters.frequent_predicates.least=1

The folder `out` appears whole, at the end; overwrite=true replaces a dataset that is there already.
A command that was stopped, however that happened, goes on where it was when it is given again.
The same source and settings give the same bytes. Exit codes: 0 done, 2 bad input, 130 interrupted.

With datasets that are there (each has a --help of its own):

  python -m frido.pack verify DIR                                 read every byte again, list all that is damaged
  python -m frido.pack stats DIR --out stats.html                 what is in it: histograms, scenes with their boxes
  python -m frido.pack index DIR                                  make a dataset of tars that another program wrote
"""

COMMANDS = {"verify": datasets.verify, "stats": datasets.stats, "index": datasets.index}

GROUPS = ("source", "format")
SETTINGS = {"out": str, "overwrite": bool}


def pack(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; return the exit code."""
    if not arguments or (arguments[0] not in COMMANDS and {"--help", "-h"} & set(arguments)):
        print(help_text())
        return 0
    if arguments[0] in COMMANDS:
        return COMMANDS[arguments[0]](arguments[1:])
    _check_command(arguments[0])
    overrides, show = _without_cfg(arguments)
    _check_source_given(overrides)
    config = compose("pack", overrides)
    check(config)
    if show:
        import yaml

        print(yaml.safe_dump(config, sort_keys=False), end="")
        return 0
    out = Path(config["out"])
    source = build(config["source"])
    report = build(config["format"]).write(source, out, overwrite=config["overwrite"])
    print("\n".join(summary(out, report)))
    return 0


def help_text() -> str:
    """Return usage, and the settings of every source and format with their defaults."""
    folder = options.config_dir()
    parts = [HELP]
    for group in GROUPS:
        for name in options.groups(folder)[group]:
            lines = _with_base(folder / group, name)
            settings = [f"    {line}" for line in lines[1:] if not line.lstrip().startswith("_target_")]
            parts.append("\n".join([f"{group}={name}: {lines[0].lstrip('# ')}", *settings, ""]))
    return "\n".join(parts)


def _with_base(folder: Path, name: str) -> list[str]:
    """Return the lines of an option's file; of what it extends, only its name."""
    lines = (folder / f"{name}.yaml").read_text().splitlines()
    if "defaults:" not in lines:
        return lines
    first = lines.index("defaults:")
    end = next((row for row in range(first + 1, len(lines)) if not lines[row].startswith("  -")), len(lines))
    bases = [line.strip("- ") for line in lines[first + 1 : end] if line.strip("- ") != "_self_"]
    return [*lines[:first], f"all of {folder.name}={', '.join(bases)}, and:", *lines[end:]]


def check(config: Mapping[str, Any]) -> None:
    """Hold the composed configuration against the constructors and types that it is for; raise `FridoError`."""
    for key, value in config.items():
        if key not in (*GROUPS, *SETTINGS):
            known = [*GROUPS, *SETTINGS]
            close = nearest(key, known)
            raise FridoError(
                key,
                got=f"{value!r} for the unknown setting {key!r}",
                wanted=f"one of {', '.join(known)}",
                do=f"{close[0]}={value}" if close else f"leave out {key}",
            )
    for group in GROUPS:
        schema.check_node(group, config[group])
    if config["out"] == schema.MISSING:
        raise FridoError("out", got="nothing", wanted="a folder to write", do="add out=DIR")
    for key, kind in SETTINGS.items():
        if not isinstance(config[key], kind):
            raise FridoError(key, got=repr(config[key]), wanted=f"a {kind.__name__}", do="see --help")


def _without_cfg(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Take `--cfg job` (or `-c job`) out of the arguments and say whether it was there."""
    rest = list(arguments)
    for flag in ("--cfg", "-c"):
        if flag in rest:
            place = rest.index(flag)
            if rest[place + 1 : place + 2] != ["job"]:
                raise FridoError(flag, got=rest[place + 1 : place + 2], wanted="--cfg job", do="--cfg job")
            del rest[place : place + 2]
            return rest, True
    return rest, False


def _check_command(first: str) -> None:
    """Refuse a word that is neither a command nor a setting."""
    if "=" in first or first.startswith(("-", "~")):
        return
    close = nearest(first, COMMANDS)
    do = f"python -m frido.pack {close[0]} DIR" if close else "see python -m frido.pack --help"
    raise FridoError(first, got="no such command", wanted=f"{', '.join(COMMANDS)}, or source=NAME out=DIR", do=do)


def _check_source_given(overrides: Sequence[str]) -> None:
    if not any(override.startswith("source=") for override in overrides):
        known = options.groups(options.config_dir())["source"]
        raise FridoError("source", got="nothing", wanted=f"one of {', '.join(known)}", do=f"add source={known[-1]}")
