"""What the loader hands to a phase."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from frido.contracts.lost import Lost
from frido.contracts.pyramid import Pyramid


class Annotations(NamedTuple):
    """Scenes as padded tensors; words are ids of the dataset's `Vocabulary`, -1 is padding."""

    categories: Int[Tensor, "batch objects"]
    attributes: Int[Tensor, "batch objects attributes"]
    boxes_xyxy: Float[Tensor, "batch objects 4"]
    relationships: Int[Tensor, "batch relationships 3"]
    """`(subject, predicate, object)`: subject and object index the objects axis."""
    captions: UInt8[Tensor, "batch bytes"]
    """The first caption as UTF-8, padded with 0; of a mirrored image, with left and right exchanged."""
    crops_xyxy: Float[Tensor, "batch 4"]
    """The part of the image that is shown, as fractions of the whole image; of a mirrored one, of its mirror image."""
    mirrored: Bool[Tensor, "batch"]
    """Whether left and right are exchanged."""


class Batch(NamedTuple):
    """Some consecutive samples of the stream.

    `images` are float32 RGB in [-1, 1], NCHW, or `None` when `pyramid` holds their cached latents.
    `positions` are places in the stream (images seen before this one): randomness is a function of them.
    `valid` is False on padding rows of a last short batch; metrics skip those.
    """

    images: Float[Tensor, "batch 3 height width"] | None
    annotations: Annotations
    ids: tuple[str, ...]
    positions: Int[Tensor, "batch"]
    valid: Bool[Tensor, "batch"]
    pyramid: Pyramid | None = None
    segmentation: Int[Tensor, "batch height width"] | None = None
    """Category of each pixel where the source knows it, -1 for none."""
    view: Shaped[Tensor, "batch view_channels view_height view_width"] | None = None
    """What of the image the denoiser is shown, as a view prepared it."""
    lost: tuple[Lost, ...] = ()
    """What could not be read, and was replaced by other samples of the same dataset."""

    @property
    def size(self) -> int:
        return len(self.ids)

    @property
    def pixels(self) -> Float[Tensor, "batch 3 height width"]:
        """The images of a batch that has them."""
        assert self.images is not None, "this batch holds latents only"
        return self.images

    def rows(self, start: int, stop: int) -> "Batch":
        """Return the samples `start` to `stop` (exclusive) as a batch of their own."""
        part = slice(start, stop)
        return Batch(
            images=None if self.images is None else self.images[part],
            annotations=Annotations(*(tensor[part] for tensor in self.annotations)),
            ids=self.ids[part],
            positions=self.positions[part],
            valid=self.valid[part],
            pyramid=None if self.pyramid is None else tuple(latent[part] for latent in self.pyramid),
            segmentation=None if self.segmentation is None else self.segmentation[part],
            view=None if self.view is None else self.view[part],
            lost=self.lost,
        )

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            images=None if self.images is None else self.images.to(device, non_blocking=True),
            annotations=Annotations(*(tensor.to(device, non_blocking=True) for tensor in self.annotations)),
            ids=self.ids,
            positions=self.positions.to(device, non_blocking=True),
            valid=self.valid.to(device, non_blocking=True),
            pyramid=None if self.pyramid is None else tuple(x.to(device, non_blocking=True) for x in self.pyramid),
            segmentation=None if self.segmentation is None else self.segmentation.to(device, non_blocking=True),
            view=None if self.view is None else self.view.to(device, non_blocking=True),
            lost=self.lost,
        )
