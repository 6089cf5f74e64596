"""Layouts as ids, as LDM and Frido write them."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.conditioning.object_rows import rows_of
from frido.conditioning.token_conditioner import TokenConditioner, nothing
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary


class LayoutTokens(TokenConditioner):
    """Three ids per object: its category, and the places of the top left and bottom right corners of its box.

    Places are cells of a square grid, numbered by rows from the top left. Objects keep their order, which means
    something here (official: shuffled at every reading); padding is not hidden (official). Categories are numbered as
    in the dataset's vocabulary: official weights need a dataset whose vocabulary is in the official order. The empty
    context is that of no objects, each scene's crop kept. The official code has zeros there, which no training shows
    it.

    Args:
        vocabulary: Of the dataset (run time).
        transformer: Partial that takes `words` and `max_tokens`.
        words: Rows of the transformer's table; official 30522, used or not.
        max_tokens: Its places, at least as many as there are ids.
        max_objects: Objects of every scene, padded.
        num_tokens: Its last id, `num_tokens - 1`, is padding, and the largest square in it is the grid:
            1024 is 32 x 32, 8192 is 90 x 90.
        shift: Added to the places. Officially 0, where categories and places share ids, and 179, the number of
            categories, for Visual Genome, where the last id is padding and a place.
        crop: Whether the corners of the part of the image that is shown follow, as places in the whole image. For boxes
            that stay in the whole image too (official); with boxes of the crop they only tell what was cut off.

    Raises:
        FridoError: The ids have no room in the tables.
    """

    def __init__(
        self,
        *,
        vocabulary: Vocabulary,
        transformer: Callable[..., EmbeddingTransformer],
        words: int,
        max_tokens: int,
        max_objects: int,
        num_tokens: int,
        shift: int,
        crop: bool,
    ) -> None:
        self.max_objects, self.padding, self.shift, self.crop = max_objects, num_tokens - 1, shift, crop
        self.cells = math.isqrt(num_tokens)
        _check_room("words", words, 1 + max(self.cells**2 - 1 + shift, self.padding))
        _check_room("max_tokens", max_tokens, 3 * max_objects + 2 * crop)
        _check_room("num_tokens", num_tokens, len(vocabulary.categories) + 1)
        super().__init__(transformer=transformer, words=words, max_tokens=max_tokens)

    def tokenize(self, annotations: Annotations) -> tuple[Int[Tensor, "batch tokens"], None]:
        categories = rows_of(annotations.categories, self.max_objects, padding=-1)[..., None]
        boxes = rows_of(annotations.boxes_xyxy, self.max_objects, padding=0)
        corners = self._places(boxes.unflatten(-1, (2, 2)))
        ids = torch.cat([categories, corners], dim=-1).where(categories >= 0, self.padding).flatten(1)
        if self.crop:
            ids = torch.cat([ids, self._places(annotations.crops_xyxy.unflatten(-1, (2, 2)))], dim=1)
        return ids, None

    def empty(self, annotations: Annotations) -> Context:
        return self(nothing(annotations)) if self.crop else super().empty(annotations)

    def _places(self, points: Float[Tensor, "*batch 2"]) -> Int[Tensor, "*batch"]:
        """Return the ids of points `(across, down)` in [0, 1]."""
        across, down = (points * (self.cells - 1)).round().long().unbind(-1)
        return down * self.cells + across + self.shift


def _check_room(name: str, given: int, needed: int) -> None:
    if given < needed:
        raise FridoError(
            f"conditioning.{name}",
            got=f"{given}, where {needed} are needed",
            wanted="room for all ids of a layout",
            do=f"conditioning.{name}={needed}",
        )
