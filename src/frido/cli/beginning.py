"""Files that trainings start from: looked for before a new run begins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError, nearest


def check_there(config: Mapping[str, Any]) -> None:
    """Raise `FridoError` where initial weights of a stage that is asked for are not there.

    Whether they fit is seen where models are built, before the first of them trains.
    """
    for stage in ("autoencoder", "denoiser"):
        source = config["training"][stage].get("init_from")
        if stage not in config["stages"] or source is None or Path(source).exists():
            continue
        beside = sorted(str(other) for other in Path(source).parent.glob("*") if not other.name.startswith("."))
        near = nearest(source, beside) or beside[:1]
        raise FridoError(
            f"training.{stage}.init_from",
            got=f"{source}: no such file or folder",
            wanted="a run directory, a stage's directory, a checkpoint's folder or a .safetensors file",
            do=f"training.{stage}.init_from={near[0] if near else 'runs/RECIPE/HASH'}, or null to start from nothing",
        )
