"""The class of an image as one token, without one for no class."""

from torch import nn

from frido.conditioning.base import Conditioner
from frido.conditioning.image_class import image_class
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.scene import Vocabulary


class PlainClassToken(Conditioner):
    """A learned vector per category (LDM's `ClassEmbedder` without guidance); zeros for no class.

    Args:
        vocabulary: Of the dataset (run time).
        width: Of the token; official 512.
    """

    def __init__(self, *, vocabulary: Vocabulary, width: int) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(len(vocabulary.categories), width)

    def forward(self, annotations: Annotations) -> Context:
        found = image_class(annotations)[:, None]
        return Context(tokens=self.embedding(found.clamp(min=0)) * (found >= 0)[..., None])

    def empty(self, annotations: Annotations) -> Context:
        return Context(tokens=self.embedding.weight.new_zeros(len(annotations.categories), 1, self.width))
