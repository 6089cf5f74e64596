"""Where the features of a run's held-out images are kept, for all runs that are measured against the same images."""

from pathlib import Path

from frido.cli.rundir import content_hash
from frido.cli.session import Session
from frido.metrics.features.reference import Reference


def reference(session: Session, split: str, *, count: int) -> Reference:
    """Return the place for the first `count` images of a held-out split, as they are shown."""
    config = session.config
    shown = content_hash(config["data"]["reading"], config["size"]["resolution"])
    root = Path(config["run"]["root"]) / "stages" / "reference"
    return Reference(root=root.resolve(), images=f"{session.data_hash} {split} {count} {shown}")
