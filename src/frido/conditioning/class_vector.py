"""The class of an image, to be added to the time embedding."""

from torch.nn import functional as F

from frido.conditioning.base import Conditioner
from frido.conditioning.image_class import image_class
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.scene import Vocabulary


class ClassVector(Conditioner):
    """One-hot vectors, zeros for no class. The denoiser's linear map of them is ADM's `label_emb`, transposed.

    Args:
        vocabulary: Of the dataset (run time).
    """

    def __init__(self, *, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.width, self.pooled_width = 0, len(vocabulary.categories)

    def forward(self, annotations: Annotations) -> Context:
        hot = F.one_hot(image_class(annotations) + 1, self.pooled_width + 1)
        return Context(pooled=hot[:, 1:].to(annotations.boxes_xyxy.dtype))

    def empty(self, annotations: Annotations) -> Context:
        return Context(pooled=annotations.boxes_xyxy.new_zeros(len(annotations.categories), self.pooled_width))
