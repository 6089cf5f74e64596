"""What conditioners have in common that turn scenes into ids and ids into tokens."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from frido.conditioning.base import Conditioner
from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.contracts.batch import Annotations
from frido.contracts.context import Context, expand


class TokenConditioner(Conditioner):
    """Rows of ids through an `EmbeddingTransformer`. The empty context is that of a scene of which nothing is told.

    Args:
        transformer: Partial that takes `words` and `max_tokens`.
        words: Number of different ids.
        max_tokens: Longest row of ids.
    """

    def __init__(self, *, transformer: Callable[..., EmbeddingTransformer], words: int, max_tokens: int) -> None:
        super().__init__()
        self.transformer = transformer(words=words, max_tokens=max_tokens)
        self.width = self.transformer.width

    @abstractmethod
    def tokenize(
        self, annotations: Annotations
    ) -> tuple[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"] | None]:
        """Return ids, on the device of the annotations, and which of them are no padding; `None` lets all be seen.

        Their number is the same for all annotations.
        """

    def forward(self, annotations: Annotations) -> Context:
        ids, real = self.tokenize(annotations)
        tokens = self.transformer(ids, real)
        return Context(tokens=tokens if real is None else tokens * real[..., None], mask=real)

    def empty(self, annotations: Annotations) -> Context:
        first = Annotations(*(tensor[:1] for tensor in annotations))
        return expand(self(nothing(first)), len(annotations.categories))


def nothing(annotations: Annotations) -> Annotations:
    """Return as many scenes of which nothing is told but the crop: no objects, no relationships, no caption."""
    return annotations._replace(
        categories=torch.full_like(annotations.categories, -1),
        attributes=torch.full_like(annotations.attributes, -1),
        boxes_xyxy=torch.zeros_like(annotations.boxes_xyxy),
        relationships=torch.full_like(annotations.relationships, -1),
        captions=torch.zeros_like(annotations.captions),
    )
