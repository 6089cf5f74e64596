"""Steps that were left out because a loss or a gradient was not finite."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.engine import checkpoint, distributed
from frido.engine.copies import Copies
from frido.tracking.jsonl import NOT_FINITE, Lines

log = logging.getLogger(__name__)

SHOWN_IDS = 16


class NotFinite:
    """Names what was left out in `not_finite.jsonl`, and stops where it is too much.

    When it stops, the weights from before the step stay in `not_finite/<images seen>/`, beside the samples of the step:
    whoever looks for the cause has both.

    Args:
        directory: Of the run or stage.
        model: What is trained.
        most: Steps in a row that a phase may leave out.
    """

    def __init__(self, *, directory: Path, model: nn.Module, most: int) -> None:
        self.directory, self.model, self.most = directory, model, most
        self.lines = Lines(directory / NOT_FINITE)
        self.in_a_row: dict[str, int] = {}
        self.count = 0

    def fine(self, phase: str) -> None:
        """Note a step of a phase that was taken."""
        self.in_a_row[phase] = 0

    def note(
        self, phase: str, *, images_seen: int, after: int, values: Mapping[str, float], ids: Sequence[str]
    ) -> None:
        """Note a step that was left out; call it on all ranks.

        Args:
            phase: Whose step.
            images_seen: Before the step.
            after: And after it.
            values: What was measured, means over ranks.
            ids: Of this rank's samples that made it so.

        Raises:
            FridoError: On every rank: more steps in a row than may be.
        """
        self.in_a_row[phase] = self.in_a_row.get(phase, 0) + 1
        self.count += 1
        everywhere = {str(rank): list(names) for rank, names in enumerate(distributed.from_all(ids)) if names}
        wrong = {name: str(value) for name, value in values.items() if not math.isfinite(value)}
        told = {"images": after, "phase": phase, "values": wrong, "ids": everywhere}
        stops = self.in_a_row[phase] > self.most
        if distributed.is_main():
            self.lines.append(json.dumps(told) + "\n")
            if stops:
                self._keep(images_seen, told)
        if stops:
            raise _refusal(phase, images_seen, told, self.most)
        log.warning("%s: the step after %d images was left out: %s", phase, images_seen, _said(told))

    def restore(self, in_a_row: Mapping[str, int]) -> None:
        """Go on from a checkpoint; the file was cut back to it."""
        file = self.directory / NOT_FINITE
        lines = len(file.read_text().splitlines()) if distributed.is_main() and file.exists() else 0
        self.in_a_row, self.count = dict(in_a_row), distributed.from_main(lines)

    def _keep(self, images_seen: int, told: Mapping[str, Any]) -> None:
        place = self.directory / "not_finite" / f"{images_seen:012d}"
        try:
            with atomic.new_folder(place) as folder:
                atomic.write_json(folder / "batch.json", told)
                tensors = Copies().take({checkpoint.MODEL: self.model.state_dict()})
                checkpoint.write_tensors(folder / checkpoint.MODEL, tensors[checkpoint.MODEL])
        except OSError as error:
            log.error("%s could not be written: %s", place, error)


def _said(told: Mapping[str, Any]) -> str:
    wrong = ", ".join(f"{name}={value}" for name, value in told["values"].items())
    parts = []
    for rank, ids in told["ids"].items():
        more = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
        where = f" on rank {rank}" if distributed.world_size() > 1 else ""
        parts.append(", ".join(ids[:SHOWN_IDS]) + more + where)
    return f"{wrong} in the batch with ids {'; '.join(parts)}"


def _refusal(phase: str, images_seen: int, told: Mapping[str, Any], most: int) -> FridoError:
    in_a_row = f"for {most + 1} steps in a row: " if most else ""
    return FridoError(
        f"training of {phase} after {images_seen} images",
        got=in_a_row + _said(told),
        wanted="finite losses and gradients",
        do="Nothing was saved since the last checkpoint, which is good; the weights from before this step and the ids "
        f"of its samples are in not_finite/{images_seen:012d}. Lower the learning rate, set clip_norm, use "
        "hardware.precision=fp32, leave such steps out (training.STAGE.max_skipped=8), or look at these samples; the "
        "same command continues from the checkpoint.",
    )
