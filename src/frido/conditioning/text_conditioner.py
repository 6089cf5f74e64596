"""What conditioners on text have in common."""

from abc import abstractmethod
from collections.abc import Callable

from jaxtyping import Bool, Int
from torch import Tensor

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.conditioning.token_conditioner import TokenConditioner
from frido.conditioning.tokenizers.base import Tokenizer
from frido.contracts.batch import Annotations
from frido.contracts.scene import Vocabulary


class TextConditioner(TokenConditioner):
    """A text per scene, through a tokenizer and an `EmbeddingTransformer`; the empty context is the empty text.

    Args:
        vocabulary: Of the dataset (run time).
        tokenizer: Partial that takes `vocabulary` and `length`.
        transformer: Partial that takes `words` and `max_tokens`.
        max_tokens: Of a text, start and end included; longer ones are cut, shorter ones padded.
        masked: Whether padding is hidden from the transformer and the denoiser. Official: it is not.
    """

    def __init__(
        self,
        *,
        vocabulary: Vocabulary,
        tokenizer: Callable[..., Tokenizer],
        transformer: Callable[..., EmbeddingTransformer],
        max_tokens: int,
        masked: bool,
    ) -> None:
        made = tokenizer(vocabulary=vocabulary, length=max_tokens)
        super().__init__(transformer=transformer, words=made.size, max_tokens=max_tokens)
        self.tokenizer, self.masked, self._vocabulary = made, masked, vocabulary

    @abstractmethod
    def texts(self, annotations: Annotations) -> list[str]:
        """Return one text per scene."""

    def tokenize(
        self, annotations: Annotations
    ) -> tuple[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"] | None]:
        ids, real = self.tokenizer(self.texts(annotations))
        device = annotations.categories.device
        return ids.to(device), real.to(device) if self.masked else None
