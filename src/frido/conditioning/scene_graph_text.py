"""Scene graphs as text, as tokens."""

from collections.abc import Callable

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.conditioning.graph_text import graph_text
from frido.conditioning.text_conditioner import TextConditioner
from frido.conditioning.tokenizers.base import Tokenizer
from frido.contracts.batch import Annotations
from frido.contracts.scene import Vocabulary


class SceneGraphText(TextConditioner):
    """Scene graphs as `graph_text` writes them, through a tokenizer and an `EmbeddingTransformer` (Frido).

    Unlike `SceneGraph`, it depends on the order of relationships, and knows no object that is in none.

    Args:
        vocabulary: See `TextConditioner`, also for what follows.
        tokenizer: Of the text.
        transformer: Of its tokens.
        max_tokens: Of a graph; Frido: 180.
        masked: Whether padding is hidden.
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
        super().__init__(
            vocabulary=vocabulary, tokenizer=tokenizer, transformer=transformer, max_tokens=max_tokens, masked=masked
        )
        self._vocabulary = vocabulary

    def texts(self, annotations: Annotations) -> list[str]:
        rows = zip(annotations.categories.tolist(), annotations.relationships.tolist(), strict=True)
        return [
            graph_text(
                categories, [(s, predicate, o) for s, predicate, o in triples if predicate >= 0], self._vocabulary
            )
            for categories, triples in rows
        ]
