"""Object labels as a set."""

from torch import nn

from frido.conditioning.base import Conditioner
from frido.conditioning.token_set import TokenSet
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.scene import Vocabulary


class LabelSet(Conditioner):
    """A token per object: its category and nothing else. Repeated ones are repeated, their order means nothing.

    Args:
        vocabulary: Of the dataset (run time).
        width: Of the tokens.
        depth: Layers of the transformer over all tokens.
        heads: Of its attention.
    """

    def __init__(self, *, vocabulary: Vocabulary, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.category = nn.Embedding(len(vocabulary.categories) + 1, width, padding_idx=0)
        self.tokens = TokenSet(width=width, depth=depth, heads=heads)

    def forward(self, annotations: Annotations) -> Context:
        return self.tokens(self.category(annotations.categories + 1), annotations.categories >= 0)

    def empty(self, annotations: Annotations) -> Context:
        return self.tokens.empty(*annotations.categories.shape)
