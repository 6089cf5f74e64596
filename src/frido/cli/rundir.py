"""Where a run lives: a folder named by what is computed, with its configuration frozen inside."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from frido.contracts import atomic
from frido.contracts.errors import FridoError

UNHASHED = ("hardware", "engine", "tracking", "run", "stages", "metrics", "comparison")
"""What changes where and how a run is computed, how much of it, or what is asked of it, but not what it is: no part of
its hash."""
UNHASHED_ANYWHERE = {
    *(
        "precision",
        "workers",
        "processes",
        "cache_mb",
        "cache_gb",
        "cache_dir",
        "max_loss",
        "pack_source",
        "pack_recipe",
    ),
    *("log_every_images", "checkpoint_every_images", "picture_every_images", "snapshot_every_images", "keep"),
    *("micro_batch", "max_skipped"),
}
"""The same kind of settings where they lie inside of what is hashed."""

LATENTS = "latents, with crops and what was lost, in the same bytes each time"
"""How stage latents writes; named otherwise when equal settings come to give another file."""


def content_hash(*parts: Any) -> str:
    """Return 12 hex digits of the SHA-256 of configuration nodes; the order of keys does not matter."""
    text = json.dumps([_essential(part) for part in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _essential(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _essential(inner) for key, inner in value.items() if key not in UNHASHED_ANYWHERE}
    return [_essential(inner) for inner in value] if isinstance(value, list) else value


def run_hash(config: Mapping[str, Any]) -> str:
    """Return the name of a resolved configuration: equal exactly where the same thing is computed."""
    return content_hash({key: value for key, value in config.items() if key not in UNHASHED and value is not None})


def stage_hash(config: Mapping[str, Any], stage: str, *, content: str = "") -> str:
    """Return the name of a shared stage's output, by all that it depends on; `seed` is not among it.

    Args:
        config: Resolved.
        stage: `"data"`, `"autoencoder"` or `"latents"`.
        content: Hash of what a configuration only points at: the packed dataset, weights to start from.
    """
    files = {key: value for key, value in config["data"].items() if key != "reading"}
    parts: dict[str, list[Any]] = {"data": [files]}
    parts["autoencoder"] = [
        config["data"],
        config["size"]["resolution"],
        config["autoencoder"],
        config["first_stage"],
        config["training"]["autoencoder"],
        content,
    ]
    parts["latents"] = [*parts["autoencoder"], config["view"], LATENTS]
    return content_hash(*parts[stage])


def stage_directory(config: Mapping[str, Any], stage: str, *, content: str = "") -> Path:
    return Path(config["run"]["root"]) / "stages" / stage / stage_hash(config, stage, content=content)


class RunDirectory:
    """`ROOT/<recipe>/<hash>/`, with `config.yaml` inside.

    The hashed part of `config.yaml` never changes. `hardware`, `tracking`, `stages` and `run` are those of the
    latest command, since a run may go on elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def planned(cls, config: Mapping[str, Any], *, recipe: str) -> "RunDirectory":
        """Return where `config` belongs; nothing is written."""
        return cls(Path(config["run"]["root"]) / recipe / run_hash(config))

    @classmethod
    def existing(cls, path: Path) -> "RunDirectory":
        """Return the run directory at `path`, which must have been one before."""
        if not (path / "config.yaml").is_file():
            near = sorted(str(file.parent) for file in path.parent.glob("*/config.yaml"))[:3]
            raise FridoError(
                f"run={path}",
                got="a folder without config.yaml" if path.is_dir() else "no such folder",
                wanted="a run directory: runs/<recipe>/<hash>",
                do=f"run={near[0]}" if near else "ls runs/*/* shows them",
            )
        return cls(path)

    @property
    def config(self) -> dict[str, Any]:
        """The frozen configuration, as data."""
        file = self.path / "config.yaml"
        try:
            config = yaml.safe_load(file.read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            config, problem = None, str(error).splitlines()[0]
        else:
            problem = type(config).__name__
        if not isinstance(config, dict):
            do = "type the command of provenance.json again with run.fresh=true"
            raise FridoError(str(file), got=problem, wanted="a mapping in YAML", do=do)
        return config

    def make(self) -> None:
        """Make the directory and see that it can be written to, before anything long begins."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path if self.path.is_dir() else self.path.parent):
                pass
        except OSError as error:
            raise FridoError(
                f"run.root: {self.path}",
                got=f"cannot be written: {error.strerror}",
                wanted="a folder that this user may write to",
                do="run.root=SOME_FOLDER",
            ) from None

    def freeze(self, config: Mapping[str, Any]) -> None:
        """Write `config.yaml`, making the directory."""
        atomic.write_text(self.path / "config.yaml", dump(config))

    def set_aside(self) -> Path | None:
        """Rename what is here to `<hash>.1`, `<hash>.2`, ...; shared stages stay. Return the new name, if any."""
        if not self.path.exists():
            return None
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        return self.path.rename(aside)

    @property
    def report(self) -> Path | None:
        """The page of a finished run."""
        page = self.path / "report.html"
        return page if page.is_file() else None


def dump(config: Mapping[str, Any]) -> str:
    """Return YAML for people: keys in their order, short lists on one line."""
    return yaml.safe_dump(config, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
