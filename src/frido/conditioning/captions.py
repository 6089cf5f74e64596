"""Captions as tokens."""

from collections.abc import Callable

from jaxtyping import UInt8
from torch import Tensor

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.conditioning.text_conditioner import TextConditioner
from frido.conditioning.tokenizers.base import Tokenizer
from frido.contracts.batch import Annotations
from frido.contracts.scene import Vocabulary


class Captions(TextConditioner):
    """The first caption of each image, through a tokenizer and an `EmbeddingTransformer`.

    Args:
        vocabulary: See `TextConditioner`, also for what follows.
        tokenizer: Of the text.
        transformer: Of its tokens.
        max_tokens: Of a caption.
        masked: Whether padding is hidden.
        without: Characters that are left out of captions; Frido leaves out full stops.
    """

    def __init__(
        self,
        *,
        vocabulary: Vocabulary,
        tokenizer: Callable[..., Tokenizer],
        transformer: Callable[..., EmbeddingTransformer],
        max_tokens: int,
        masked: bool,
        without: str,
    ) -> None:
        super().__init__(
            vocabulary=vocabulary, tokenizer=tokenizer, transformer=transformer, max_tokens=max_tokens, masked=masked
        )
        self._without = str.maketrans("", "", without)

    def texts(self, annotations: Annotations) -> list[str]:
        return [text.translate(self._without) for text in read(annotations.captions)]


def read(captions: UInt8[Tensor, "batch bytes"]) -> list[str]:
    """Return captions as they were before they became bytes."""
    return [row.tobytes().rstrip(b"\0").decode() for row in captions.cpu().numpy()]
