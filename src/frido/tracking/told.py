"""What W&B was told of a run so far, so that a continued run goes on there where it was."""

import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from frido.contracts import atomic

FILE = "wandb.json"


@dataclass
class Told:
    """Kept in the run directory, as `wandb.json`.

    Attributes:
        id: Of the run at W&B.
        job_type: Of the stage that was tracked first; W&B has one a run.
        step: The next of W&B's own steps. They only count, and never go back.
        images: Whatever lies before this place on the axis of images has arrived; -1 where nothing has.
    """

    id: str
    job_type: str
    step: int
    images: int

    @classmethod
    def of(cls, directory: Path, *, job_type: str) -> "Told":
        """Return what `directory` remembers; of a new one, a new id and `job_type`, written down at once."""
        file = directory / FILE
        if file.exists():
            return cls(**json.loads(file.read_text()))
        told = cls(id=uuid.uuid4().hex[:12], job_type=job_type, step=0, images=-1)
        told.write(directory)
        return told

    def write(self, directory: Path) -> None:
        atomic.write_json(directory / FILE, asdict(self))
