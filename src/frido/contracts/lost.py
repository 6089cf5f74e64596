"""What could not be read. Imports no torch."""

from typing import NamedTuple


class Lost(NamedTuple):
    """A sample that could not be read.

    Args:
        shard: Name of its shard.
        key: Its key in the shard.
        reason: What was found instead.
    """

    shard: str
    key: str
    reason: str
