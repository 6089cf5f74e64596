"""The endless sequence of training samples, by position."""

from typing import Protocol, runtime_checkable

from frido.contracts.batch import Batch


@runtime_checkable
class Stream(Protocol):
    """Batches as a function of how many images were seen; nothing else is state."""

    def at(self, images_seen: int) -> Batch:
        """Return this rank's part of the global batch that starts at position `images_seen`."""
        ...
