"""Layouts as tokens."""

from torch import nn

from frido.conditioning.base import Conditioner
from frido.conditioning.object_embedding import ObjectEmbedding
from frido.conditioning.token_set import TokenSet
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.scene import Vocabulary
from frido.nn.embeddings import fourier


class SceneLayout(Conditioner):
    """A token per object: category, attributes and Fourier features of its box. Relationships are not read.

    Args:
        vocabulary: Of the dataset (run time).
        width: Of the tokens.
        bands: Octaves of the features of each box coordinate, the longest wave twice the image.
        depth: Layers of the transformer over all tokens.
        heads: Of its attention.
    """

    def __init__(self, *, vocabulary: Vocabulary, width: int, bands: int, depth: int, heads: int) -> None:
        super().__init__()
        self.width, self.bands = width, bands
        self.objects = ObjectEmbedding(vocabulary=vocabulary, width=width)
        self.box = nn.Linear(4 * 2 * bands, width)
        self.tokens = TokenSet(width=width, depth=depth, heads=heads)

    def forward(self, annotations: Annotations) -> Context:
        objects, is_object = self.objects(annotations)
        boxes = self.box(fourier(annotations.boxes_xyxy, self.bands).to(self.box.weight.dtype))
        return self.tokens(objects + boxes, is_object)

    def empty(self, annotations: Annotations) -> Context:
        return self.tokens.empty(*annotations.categories.shape)
