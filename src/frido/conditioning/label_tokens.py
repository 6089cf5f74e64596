"""Object labels as ids, as Frido writes them."""

from collections.abc import Callable

from jaxtyping import Int
from torch import Tensor

from frido.conditioning.embedding_transformer import EmbeddingTransformer
from frido.conditioning.object_rows import rows_of
from frido.conditioning.token_conditioner import TokenConditioner
from frido.contracts.batch import Annotations
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary


class LabelTokens(TokenConditioner):
    """The category of every object, repeated ones repeated, in the objects' order; padding is not hidden (official).

    The order means nothing there but is seen, since places are embedded. The empty context is that of no objects;
    official sampling has id 0 in its place by mistake, which is a category.

    Args:
        vocabulary: Of the dataset (run time).
        transformer: Partial that takes `words` and `max_tokens`.
        words: Rows of the transformer's table; official 30522, used or not.
        max_tokens: Its places, at least `max_objects`; official 77.
        max_objects: Objects of every scene, padded.
        padding: Id of the padding; official 1023.

    Raises:
        FridoError: `padding` is a category's id, or has no room in the table.
    """

    def __init__(
        self,
        *,
        vocabulary: Vocabulary,
        transformer: Callable[..., EmbeddingTransformer],
        words: int,
        max_tokens: int,
        max_objects: int,
        padding: int,
    ) -> None:
        if not len(vocabulary.categories) <= padding < words:
            raise FridoError(
                "conditioning.padding",
                got=padding,
                wanted=f"an id above those of {len(vocabulary.categories)} categories, below words={words}",
                do=f"conditioning.padding={words - 1}",
            )
        if max_tokens < max_objects:
            raise FridoError(
                "conditioning.max_tokens",
                got=max_tokens,
                wanted=f"a place for each of {max_objects} objects",
                do=f"conditioning.max_tokens={max_objects}",
            )
        super().__init__(transformer=transformer, words=words, max_tokens=max_tokens)
        self.max_objects, self.padding = max_objects, padding

    def tokenize(self, annotations: Annotations) -> tuple[Int[Tensor, "batch tokens"], None]:
        categories = rows_of(annotations.categories, self.max_objects, padding=-1)
        return categories.where(categories >= 0, self.padding), None
