"""A vector for each object."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from frido.contracts.batch import Annotations
from frido.contracts.scene import Vocabulary


class ObjectEmbedding(nn.Module):
    """The sum of a category's vector and its attributes' vectors.

    Args:
        vocabulary: Of the dataset.
        width: Of the vectors.
    """

    def __init__(self, *, vocabulary: Vocabulary, width: int) -> None:
        super().__init__()
        # row 0 is padding and stays zero, so words are shifted by one
        self.category = nn.Embedding(len(vocabulary.categories) + 1, width, padding_idx=0)
        self.attribute = nn.Embedding(len(vocabulary.attributes) + 1, width, padding_idx=0)

    def forward(
        self, annotations: Annotations
    ) -> tuple[Float[Tensor, "batch objects width"], Bool[Tensor, "batch objects"]]:
        """Return the vectors, and where there is an object at all."""
        vectors = self.category(annotations.categories + 1) + self.attribute(annotations.attributes + 1).sum(dim=2)
        return vectors, annotations.categories >= 0
