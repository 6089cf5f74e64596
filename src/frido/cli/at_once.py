"""How many images are looked at, drawn or encoded together between steps of training: bounds memory."""

from collections.abc import Mapping
from typing import Any

MOST, PIXELS = 64, 2**20


def at_once(config: Mapping[str, Any]) -> int:
    """Return the size of a batch in which nothing is learnt: 64 images up to 128 px, 16 at 256 px."""
    return max(1, min(MOST, PIXELS // config["size"]["resolution"] ** 2))
