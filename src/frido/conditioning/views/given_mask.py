"""One mask for every image: a person's own."""

import numpy as np

from frido.conditioning.views.masks import Masks


class GivenMask(Masks):
    """The same pixels are hidden whatever the key.

    Args:
        hidden: Bool `(height, width)`, True where an image is hidden.
    """

    def __init__(self, *, hidden: np.ndarray) -> None:
        self.hidden = hidden

    def draw(self, key: int, height: int, width: int) -> np.ndarray:
        assert self.hidden.shape == (height, width), "the mask was made for images of another size"
        return self.hidden
