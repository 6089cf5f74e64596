"""How long an average is, in the words of Karras et al. (2024), and where one that was made after training lies."""

import json
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError

LONGEST = 0.28
"""No power-function average is much longer: the mean of all weights, its limit, has 1 / sqrt(12) = 0.289."""


def check(sigma_rel: float, *, setting: str) -> None:
    """Raise `FridoError` about `setting` where no average has the length `sigma_rel`."""
    if not 0 < sigma_rel < LONGEST:
        raise FridoError(
            setting,
            got=sigma_rel,
            wanted=f"more than 0 and less than {LONGEST}: the width of an average, as a share of the training",
            do=f"{setting.partition('=')[0]}=0.1",
        )


def name(sigma_rel: float) -> str:
    """Return what an average that was made after training is called."""
    return f"sigma_rel_{sigma_rel:g}"


def file(directory: Path, name: str) -> Path:
    """Return where such an average of a run lies; beside it, as `.json`, what it was made of."""
    return directory / "averages" / f"{name}.safetensors"


def made_of(directory: Path, name: str) -> dict[str, Any] | None:
    """Return what such an average was made of, with the SHA-256 of its file; `None` where it is not there yet."""
    told = file(directory, name).with_suffix(".json")
    return json.loads(told.read_text()) if told.is_file() else None
