"""The mirror of a run at Weights & Biases."""

import logging
import netrc
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from frido.contracts.errors import FridoError
from frido.contracts.tracker import Cell, Tracker
from frido.tracking.redact import redact
from frido.tracking.told import Told

log = logging.getLogger(__name__)

DATA = "WANDB_DATA_DIR"
FLUSH_SECONDS = 5.0
"""How often W&B's service writes to its log; it writes nothing more when this process is killed."""
SAFE_SECONDS = 60.0
"""What was told this long ago is taken to be written, and sent where there is a network."""


class WandbTracker(Tracker):
    """Sends scalars, pictures and tables to W&B, or writes them beside the run for `wandb sync` later.

    A run directory is one run there, whatever was interrupted and whichever stage goes on: offline, W&B makes a new
    folder per start, and joins those of one id when they are synced. The axis is `images`, given with every value.
    W&B's own step only counts; it goes on where it was (`Told`), so that no folder repeats a step of another. What is
    logged again after a resume was told before, up to rounding, and is left out; only what was told in the last minute
    before a kill, and may not have arrived, is told again: at the same places.

    Errors of W&B go through: `DispensableTracker` is made for them.

    Args:
        directory: Of the run; takes `wandb/` and `wandb.json`.
        mode: "online", "offline", or "auto": online where a key is found, offline otherwise.
        project: At W&B.
        name: Shown there.
        group: Runs shown together; `None` is none.
        job_type: Of this stage; a run that was tracked before keeps its own.
        tags: Of the run.
        config: The resolved config; secrets are redacted.
        provenance: As in `provenance.json`; secrets are redacted, the diff is left out.
        patience_seconds: How long W&B may keep the training waiting, at the start and at the end.

    Raises:
        FridoError: "online", and no key is found.
    """

    def __init__(
        self,
        *,
        directory: Path,
        mode: Literal["auto", "online", "offline"],
        project: str,
        name: str,
        group: str | None,
        job_type: str,
        tags: Sequence[str],
        config: Mapping[str, Any],
        provenance: Mapping[str, Any],
        patience_seconds: int,
    ) -> None:
        if mode == "online" and not logged_in():
            raise FridoError(
                "tracking.wandb=online",
                got="no key of W&B, neither in the environment nor in the netrc file",
                wanted="a machine that is logged in there",
                do="wandb login, or tracking=offline and `wandb sync` later.",
            )
        import wandb  # half a second and a process of its own: only for those who track there

        if mode == "auto":
            mode = "online" if logged_in() else "offline"
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.told = directory, Told.of(directory, job_type=job_type)
        options: dict[str, Any] = {
            "project": project,
            "dir": str(directory),
            "id": self.told.id,
            "resume": "allow",
            "name": name,
            "group": group,
            "job_type": self.told.job_type,
            "tags": list(tags),
            "config": redact(dict(config) | {"provenance": without_diff(provenance)}),
            "settings": wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                save_code=False,
                x_disable_meta=True,  # it would tell the command line as it was typed
                x_transaction_log_flush_interval=FLUSH_SECONDS,
                init_timeout=patience_seconds,
                finish_timeout=patience_seconds,
            ),
        }
        try:
            self.run = wandb.init(mode=mode, **options)
        except wandb.Error as error:
            if mode == "offline":
                raise
            log.warning("W&B cannot be reached (%s): tracking offline, `wandb sync` sends it later", error)
            _forget_service()  # it holds the run's id
            self.run = wandb.init(mode="offline", **options)
        self.run.define_metric("images")
        self.run.define_metric("*", step_metric="images")
        self.told_before = self.told.images
        self.recent: deque[tuple[float, int]] = deque()

    def log(self, values: Mapping[str, float], *, images: int) -> None:
        self._tell(dict(values), images)

    def picture(self, name: str, path: Path, *, images: int) -> None:
        self._tell({name: shown(path)}, images)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, images: int) -> None:
        from wandb import Table

        cells = [[shown(cell) if isinstance(cell, Path) else cell for cell in row] for row in rows]
        with _kept_in(self.directory):
            self._tell({f"tables/{name}": Table(columns=list(columns), data=cells)}, images)

    def close(self) -> None:
        try:
            self.run.finish()
            self._safe(now=float("inf"))
        except Exception:
            _forget_service()  # one that has died would be asked again by the next stage, and when Python ends
            raise

    def _tell(self, values: Mapping[str, Any], images: int) -> None:
        if images < self.told_before:
            return
        now = time.monotonic()
        self.recent.append((now, images))
        step, self.told.step = self.told.step, self.told.step + 1
        self._safe(now=now)
        self.run.log({"images": images, **values}, step=step, commit=True)

    def _safe(self, *, now: float) -> None:
        """Write down what need not be told again."""
        while self.recent and self.recent[0][0] <= now - SAFE_SECONDS:
            self.told.images = self.recent.popleft()[1]
        self.told.write(self.directory)


def shown(path: Path) -> Any:
    """Return what W&B shows of a file: a picture, or a drawing."""
    from wandb import Html, Image

    return Html(path.read_text(), inject=False) if path.suffix == ".svg" else Image(str(path))


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


def _forget_service() -> None:
    """End W&B's own process, if it still answers; the next run gets a new one."""
    import wandb

    with suppress(Exception, SystemExit):
        wandb.teardown()


@contextmanager
def _kept_in(directory: Path) -> Iterator[None]:
    """Let W&B keep the pictures of tables with the run: its own place, in the home folder, is not there elsewhere."""
    before = os.environ.get(DATA)
    os.environ[DATA] = str((directory / "wandb" / "data").resolve())
    try:
        yield
    finally:
        del os.environ[DATA]
        if before is not None:
            os.environ[DATA] = before
