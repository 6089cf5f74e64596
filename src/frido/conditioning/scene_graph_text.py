"""Scene graphs as text, as tokens."""

from frido.conditioning.text_conditioner import TextConditioner
from frido.contracts.batch import Annotations
from frido.contracts.graph_text import graph_text


class SceneGraphText(TextConditioner):
    """Scene graphs as `graph_text` writes them, through a tokenizer and an `EmbeddingTransformer` (Frido).

    Unlike `SceneGraph`, it depends on the order of relationships, and knows no object that is in none.
    Frido gives a graph `max_tokens=180`.
    """

    def texts(self, annotations: Annotations) -> list[str]:
        rows = zip(annotations.categories.tolist(), annotations.relationships.tolist(), strict=True)
        return [
            graph_text(
                categories, [(s, predicate, o) for s, predicate, o in triples if predicate >= 0], self._vocabulary
            )
            for categories, triples in rows
        ]
