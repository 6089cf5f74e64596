"""What FID, IS and their kin know of a feature network."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float, UInt8
from torch import Tensor, nn


class Features(NamedTuple):
    """What a feature network says of some images, float32."""

    features: Float[Tensor, "batch dimension"]
    logits: Float[Tensor, "batch classes"]


class FeatureExtractor(nn.Module, ABC):
    """A frozen network, always in evaluation mode; a row never depends on the rest of its batch."""

    name: str
    """Goes into the names of the numbers: `fid/NAME@1000`."""

    sha256: str
    """Of the weights file."""

    dimension: int
    """Of `features`; a covariance needs more images than this."""

    classes: int
    """Of `logits`."""

    resize: str
    """How an image of another size gets to the network's, in words."""

    missing: str = ""
    """Why it cannot look at images; empty where it can."""

    @abstractmethod
    def extract(self, images: UInt8[Tensor, "batch 3 height width"]) -> Features:
        """Return features and class logits of RGB images of any size."""
