"""What a run reads from outside of its directory: named by its path, remembered by its content."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.engine.initialization import file_of

log = logging.getLogger(__name__)

POINTING = ("file", "folder")
"""Settings of conditioners and their parts that hold such a path."""


def contents(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of what each such setting points at: `{"conditioning.tokenizer.file": "07ec..."}`.

    That of a folder is of the names and contents of its files; hidden ones and inner folders do not count. Paths of
    nothing are left out: they are refused where they are read.
    """
    found = ((place, Path(value)) for place, value in _pointers("conditioning", config["conditioning"]))
    return {place: _content(path) for place, path in found if path.exists()}


def check_unchanged(now: Mapping[str, str], directory: Path) -> None:
    """Refuse to go on with, or draw by, weights that were trained with other files.

    Args:
        now: Of `contents`.
        directory: Of the run. Checkpoints that remember no such file (converted ones) are not questioned.

    Raises:
        FridoError: A file has changed.
    """
    remembered = _remembered(directory)
    for place, digest in now.items():
        if (was := remembered.get(place, digest)) != digest:
            raise FridoError(
                place,
                got=f"other content than {directory} was trained with: SHA-256 {digest[:12]}...",
                wanted=f"what was there then: SHA-256 {was[:12]}...",
                do="put the earlier content back in its place, or start anew with run.fresh=true",
            )


def initial_weights(config: Mapping[str, Any], stage: str) -> str | None:
    """Return the SHA-256 of the file that the training of `stage` starts from; `None` without one.

    Raises:
        FridoError: It cannot be found, or is a damaged checkpoint.
    """
    source = config["training"][stage]["init_from"]
    return None if source is None else sha256(file_of(Path(source)))


def started_from(config: Mapping[str, Any], directory: Path) -> dict[str, str]:
    """Return what checkpoints of the second stage remember of the file that it started from, as `contents` does.

    A training that has begun needs them no more: that they are gone or have changed is told, and it goes on.

    Args:
        config: Resolved.
        directory: Of the run.

    Raises:
        FridoError: They cannot be found, and the training has not begun.
    """
    place = "training.denoiser.init_from"
    was = _remembered(directory).get(place)
    if was is None:
        now = initial_weights(config, "denoiser")
        return {} if now is None else {place: now}
    try:
        now = initial_weights(config, "denoiser")
    except FridoError:
        now = None
    if now != was:
        log.warning(
            "%s=%s: no longer the weights that this training started from (SHA-256 %s...): it goes on as begun",
            place,
            config["training"]["denoiser"]["init_from"],
            was[:12],
        )
    return {place: was}


def _pointers(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every pointing setting inside of `value` that holds a path, with its place."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if key in POINTING and isinstance(inner, str):
            yield f"{place}.{key}", inner
        yield from _pointers(f"{place}.{key}", inner)


def _content(path: Path) -> str:
    if path.is_file():
        return sha256(path)
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    return hashlib.sha256(json.dumps({file.name: sha256(file) for file in files}).encode()).hexdigest()


def _remembered(directory: Path) -> dict[str, Any]:
    """Return the facts of a run's checkpoints: all have the same, so any that can be read will do."""
    for file in sorted((directory / "checkpoints").glob("[0-9]*/state.json")):
        try:
            return dict(json.loads(file.read_text()).get("facts", {}))
        except ValueError:  # damaged: said where its weights are read
            continue
    return {}
