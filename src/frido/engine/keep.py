"""Which checkpoints stay."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from frido.contracts.errors import FridoError


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint on disk.

    Args:
        images_seen: At its moment.
        due: Whether its moment was one of the settings', not one at which somebody stopped the training.
        numbers: What was measured at the same moment, by name; empty where nothing was.
    """

    images_seen: int
    due: bool
    numbers: Mapping[str, float]


class Keep:
    """The newest, one in every so many images, and the best: whichever asks for a checkpoint keeps it.

    They are chosen among those that were due. One that was made because somebody stopped the training stays only until
    the next one that is due, so that an interrupted training ends with the same checkpoints as an uninterrupted one.

    Args:
        last: How many of the newest. With at least 2, one damaged on disk costs little.
        every_images: Of every so many images the first one; null keeps none for that.
        best: A number that is measured while training, such as `validation/loss/scale0`, whose best checkpoint
            stays, the earliest of equals; null keeps none for that. Checkpoints of moments at which it was not measured
            do not take part.
        highest: Whether the highest number is the best.
    """

    def __init__(self, *, last: int, every_images: int | None, best: str | None, highest: bool) -> None:
        for name, value in {"last": last, "every_images": every_images}.items():
            if value is not None and value < 1:
                wanted = "1 or more" + ("" if name == "last" else ", or null")
                raise FridoError(f"keep.{name}", got=value, wanted=wanted, do=f"Set keep.{name} to a positive number.")
        self.last, self.every_images, self.best, self.highest = last, every_images, best, highest

    def chosen(self, kept: Iterable[Kept]) -> set[int]:
        """Return which of some checkpoints stay, by images seen."""
        found = sorted(kept, key=lambda one: one.images_seen)
        due = [one for one in found if one.due]
        since = [one for one in found if not due or one.images_seen > due[-1].images_seen]
        stay = {one.images_seen for one in due[-self.last :] + since[-self.last :]}
        if self.every_images is not None:
            first: dict[int, int] = {}
            for one in due:
                if one.images_seen >= self.every_images:
                    first.setdefault(one.images_seen // self.every_images, one.images_seen)
            stay |= set(first.values())
        if self.best is not None:
            sign = -1 if self.highest else 1
            measured = [(sign * one.numbers.get(self.best, math.nan), one.images_seen) for one in due]
            stay |= {images for _, images in sorted(pair for pair in measured if not math.isnan(pair[0]))[:1]}
        return stay
