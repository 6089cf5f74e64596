"""The class of an image as one token."""

import torch
from torch import nn

from frido.conditioning.base import Conditioner
from frido.conditioning.image_class import image_class
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.scene import Vocabulary


class ClassToken(Conditioner):
    """A learned vector per category, and one more for no class (LDM's `ClassEmbedder` for guidance: 1001 classes).

    Args:
        vocabulary: Of the dataset (run time).
        width: Of the token; official 512.
    """

    def __init__(self, *, vocabulary: Vocabulary, width: int) -> None:
        super().__init__()
        self.width, self.no_class = width, len(vocabulary.categories)
        self.embedding = nn.Embedding(len(vocabulary.categories) + 1, width)

    def forward(self, annotations: Annotations) -> Context:
        found = image_class(annotations)
        return Context(tokens=self.embedding(found.where(found >= 0, self.no_class))[:, None])

    def empty(self, annotations: Annotations) -> Context:
        rows = torch.full_like(annotations.categories[:, :1], self.no_class)
        return Context(tokens=self.embedding(rows))
