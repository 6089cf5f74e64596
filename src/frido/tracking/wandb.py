"""The mirror of a run at Weights & Biases."""

import logging
import netrc
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from frido.contracts import atomic
from frido.contracts.tracker import Tracker
from frido.tracking.redact import redact

log = logging.getLogger(__name__)

RUN_ID = "wandb_id.txt"


class WandbTracker(Tracker):
    """Sends scalars and pictures to W&B, or writes them beside the run for `wandb sync` later.

    The run's id is kept in the directory, so that a continued run is one run there too: offline, W&B makes a new
    folder per start and joins those of one id when they are synced. W&B's own step only counts calls; the axis is
    `images`, given with every value, so what was logged again after a resume falls on the same place.

    Args:
        directory: Of the run; takes `wandb/` and the run's id.
        mode: "online", "offline", or "auto": online where a key is found, offline otherwise.
        project: At W&B.
        name: Shown there.
        group: Runs shown together; `None` is none.
        config: The resolved config; secrets are redacted.
        provenance: As in `provenance.json`; secrets are redacted, the diff is left out.
    """

    def __init__(
        self,
        *,
        directory: Path,
        mode: Literal["auto", "online", "offline"],
        project: str,
        name: str,
        group: str | None,
        config: Mapping[str, Any],
        provenance: Mapping[str, Any],
    ) -> None:
        import wandb  # half a second and a process of its own: only for those who track there

        if mode == "auto":
            mode = "online" if logged_in() else "offline"
        directory.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {
            "project": project,
            "dir": str(directory),
            "id": run_id(directory),
            "resume": "allow",
            "name": name,
            "group": group,
            "config": redact(dict(config) | {"provenance": without_diff(provenance)}),
            "settings": wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
        }
        try:
            self.run = wandb.init(mode=mode, **options)
        except wandb.Error as error:
            if mode == "offline":
                raise
            log.warning("W&B cannot be reached (%s): tracking offline, `wandb sync` sends it later", error)
            self.run = wandb.init(mode="offline", **options)
        self.run.define_metric("images")
        self.run.define_metric("*", step_metric="images")

    def log(self, values: Mapping[str, float], *, images: int) -> None:
        self.run.log({"images": images} | dict(values))

    def picture(self, name: str, path: Path, *, images: int) -> None:
        from wandb import Image

        self.run.log({"images": images, name: Image(str(path))})

    def close(self) -> None:
        self.run.finish()


def run_id(directory: Path) -> str:
    """Return the id of the run in `directory`, made at the first call."""
    path = directory / RUN_ID
    if not path.exists():
        atomic.write_text(path, uuid.uuid4().hex[:12] + "\n")
    return path.read_text().strip()


def logged_in() -> bool:
    """Return whether W&B would find a key without asking: in the environment or in the netrc file."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def without_diff(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return `provenance` without the text of uncommitted changes, which is long and may hold anything."""
    git = {key: value for key, value in dict(provenance.get("git") or {}).items() if key != "diff"}
    return dict(provenance) | ({"git": git} if git else {})
