"""The one class of an image."""

from jaxtyping import Int
from torch import Tensor

from frido.contracts.batch import Annotations


def image_class(annotations: Annotations) -> Int[Tensor, "batch"]:
    """Return the category of the object with the largest box, the first of equal ones; -1 without objects.

    In a dataset for classification every image has one object, and that is its class.
    """
    left, top, right, bottom = annotations.boxes_xyxy.unbind(-1)
    areas = ((right - left) * (bottom - top)).masked_fill(annotations.categories < 0, -1.0)
    return annotations.categories.gather(1, areas.argmax(dim=1, keepdim=True)).squeeze(1)
