"""Who made this run: command, code, versions, machine. Read without importing any of it; no environment, no secrets."""

import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import frido
from frido.contracts import atomic

PACKAGES = (
    *("frido", "torch", "torchvision", "torchmetrics", "timm", "numpy", "scipy", "einops", "safetensors", "pillow"),
    *("webdataset", "hydra-core", "omegaconf", "wandb"),
)
ARITHMETIC = ("threads", "precision", "tf32", "channels_last", "compile", "device")
BITWISE = ("versions", "ranks", *ARITHMETIC, "git", "platform")
"""What must be equal for a continued run to equal an uninterrupted one bit for bit."""


def collect(*, door: str, arguments: Sequence[str], hardware: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about this command on this machine, as plain JSON.

    Args:
        door: The module that was called: `"frido.run"`.
        arguments: What was typed after it.
        hardware: The group of the configuration.
    """
    return {
        "command": shlex.join(["python", "-m", door, *arguments]),
        "overrides": list(arguments),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "git": git(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "platform": {"system": platform.platform(), "machine": platform.machine(), "cores": os.cpu_count()},
        **{name: hardware[name] for name in ARITHMETIC},
        "ranks": int(os.environ.get("WORLD_SIZE", hardware["devices"] * hardware["nodes"])),
        "data": None,  # the data stage knows it
    }


def record(directory: Path, facts: Mapping[str, Any]) -> list[str]:
    """Write `provenance.json`; for a run that goes on, add the command to it. Return what differs, as sentences."""
    file = directory / "provenance.json"
    if not file.is_file():
        atomic.write_json(file, {**facts, "continued": []})
        return []
    first = json.loads(file.read_text())
    latest = {**first, **(first["continued"][-1] if first["continued"] else {})}
    first["continued"].append({key: facts[key] for key in ("command", "overrides", "time", *BITWISE)})
    atomic.write_json(file, first)
    return [_difference(key, latest[key], facts[key]) for key in BITWISE if latest[key] != facts[key]]


def complete(directory: Path, **facts: Any) -> None:
    """Fill in what became known later, such as `data={"hash": ...}`."""
    file = directory / "provenance.json"
    atomic.write_json(file, json.loads(file.read_text()) | facts)


def git() -> dict[str, Any] | None:
    """Return commit, dirtiness and diff of the checkout that Frido runs from; `None` if it is no checkout."""
    package = Path(frido.__path__[0])

    def ask(*arguments: str) -> str | None:
        try:
            answer = subprocess.run(["git", *arguments], cwd=package, capture_output=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout.decode(errors="replace")

    # An installed copy may lie inside somebody else's repository: only one that tracks this file counts.
    commit = ask("rev-parse", "HEAD")
    if commit is None or ask("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    diff = ask("diff", "HEAD", "--no-color", "--no-ext-diff") or ""
    return {"commit": commit.strip(), "dirty": bool(diff), "diff": diff}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _difference(key: str, before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name) and name != "diff"]
        parts = [f"{name} {before.get(name)} -> {now.get(name)}" for name in changed] or ["uncommitted changes"]
        return f"{key}: {', '.join(parts)}"
    return f"{key}: {before} -> {now}"
