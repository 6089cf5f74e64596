"""Objects in a fixed number of rows."""

from jaxtyping import Shaped
from torch import Tensor
from torch.nn import functional as F

from frido.contracts.errors import FridoError


def rows_of(objects: Shaped[Tensor, "batch objects *rest"], count: int, *, padding: int) -> Tensor:
    """Return what is said of objects, in `count` rows: official models know their places.

    Raises:
        FridoError: There are more.
    """
    missing = count - objects.shape[1]
    if missing < 0:
        raise FridoError(
            "conditioning.max_objects",
            got=f"{count}, for scenes of up to {objects.shape[1]} objects",
            wanted="at least as many rows as data.reading.max_objects",
            do=f"conditioning.max_objects={objects.shape[1]}, or data.reading.max_objects={count}",
        )
    return F.pad(objects, (*(0, 0) * (objects.dim() - 2), 0, missing), value=padding)
