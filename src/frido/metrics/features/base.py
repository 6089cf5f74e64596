"""What FID, IS and their kin know of a feature network."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn


class Seen(NamedTuple):
    """What a feature network says of some images, float32."""

    features: Float[Tensor, "batch dimension"]
    logits: Float[Tensor, "batch classes"]


class Features(NamedTuple):
    """What a feature network says of the images of one side, row by row."""

    positions: Int64[Tensor, "batch"]
    digests: Int64[Tensor, "batch"]
    """What each image is: the first 64 bits of the SHA-256 of its pixels."""
    features: Float[Tensor, "batch dimension"]
    logits: Float[Tensor, "batch classes"]

    def at(self, rows: Tensor) -> "Features":
        """Return some of the rows, by index or mask."""
        return Features(*(part[rows] for part in self))


class FeatureExtractor(nn.Module, ABC):
    """A frozen network, always in evaluation mode.

    It is only ever shown full batches of one length (`Batches`), so that what it says of a row depends on nothing
    else. Not every network promises that by itself: convolutions choose their arithmetic by the batch's length.
    """

    name: str
    """Goes into the names of the numbers: `fid/NAME@1000`."""

    sha256: str
    """Of the weights file."""

    dimension: int
    """Of `features`; a covariance needs more images than this."""

    classes: int
    """Of `logits`; 0 where there are none."""

    resize: str
    """How an image of another size gets to the network's, in words."""

    missing: str = ""
    """Why it cannot look at images; empty where it can."""

    @abstractmethod
    def extract(self, images: UInt8[Tensor, "batch 3 height width"]) -> Seen:
        """Return features and class logits of RGB images of any size, on the device of the network."""
