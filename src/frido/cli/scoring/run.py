"""Metrics over two sides, in this process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from frido.cli.scoring import sides
from frido.cli.scoring.batches import batches
from frido.cli.scoring.sides import Side
from frido.data.packing.processes import bar
from frido.engine.distributed import process_group
from frido.metrics.evaluation import Evaluation, Result
from frido.metrics.features.reference import Reference


def run(
    evaluation: Evaluation,
    real: Side,
    generated: Side,
    partners: Sequence[int] | None,
    *,
    hardware: Mapping[str, Any],
    root: Path,
) -> Result:
    """Return what all metrics say.

    Args:
        evaluation: The metrics.
        real: One side.
        generated: The other.
        partners: Of each real image the generated one; `None` where there are no pairs.
        hardware: The group of the configuration.
        root: Of runs: features of the real images are kept below, as those of held-out images are.
    """
    if hardware["threads"] is not None:
        torch.set_num_threads(hardware["threads"])
    told = sides.scenes(real, generated, partners)
    count = len(real.pictures) + len(generated.pictures)
    with (
        process_group(hardware["device"], stalled_after_minutes=hardware["stalled_after_minutes"]) as device,
        bar("scoring", count, unit="images", done=0, quiet=False) as advance,
    ):
        return evaluation.run(
            batches(real, generated, partners, told, device=device, advance=advance),
            paired=partners is not None,
            described=told is not None,
            reference=Reference(root=(root / "stages" / "reference").resolve(), images=f"files {real.sha256}"),
        )
