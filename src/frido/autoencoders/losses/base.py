"""What an autoencoder is trained to make small, and against whom."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders.base import Reconstruction


class PixelTerm(ABC):
    """A distance of images value by value, averaged over all of them; `name` is what it is logged as."""

    name: str

    @abstractmethod
    def __call__(
        self, made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, ""]: ...


class Perceptual(nn.Module, ABC):
    """A distance of images as people see it; never trained."""

    weight: float

    @abstractmethod
    def forward(
        self, made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch"]:
        """Return the distance of each pair, without `weight`."""


class Objective(ABC):
    """What a discriminator makes small, given its logits of real and of made images."""

    @abstractmethod
    def __call__(self, real: Float[Tensor, "*patches"], made: Float[Tensor, "*patches"]) -> Float[Tensor, ""]: ...


class Opponent(nn.Module, ABC):
    """The other player of a GAN, trained in a phase of its own against reconstructions."""

    @abstractmethod
    def playing(self, positions: Int[Tensor, "batch"]) -> bool:
        """Return whether it takes part in the step that holds these positions of the stream; equal on all ranks."""

    @abstractmethod
    def forward(
        self,
        made: Float[Tensor, "batch 3 height width"],
        images: Float[Tensor, "batch 3 height width"],
    ) -> dict[str, Tensor]:
        """Return its losses, among them `"loss"`."""

    @abstractmethod
    def idle(self) -> dict[str, Tensor]:
        """Return the same entries while it is not playing: zeros, and a `"loss"` whose gradient is zero."""


class AutoencoderLoss(nn.Module, ABC):
    """The loss of encoder, codebooks and decoder."""

    opponent: Opponent | None

    @abstractmethod
    def forward(
        self,
        made: Reconstruction,
        images: Float[Tensor, "batch 3 height width"],
        *,
        positions: Int[Tensor, "batch"],
        last_layer: nn.Parameter,
    ) -> dict[str, Tensor]:
        """Return scalars: `"loss"` to differentiate, and its parts to look at.

        Args:
            made: The autoencoder's answer to `images`.
            images: In [-1, 1].
            positions: Of the images in the stream, for what starts late.
            last_layer: The decoder's last weight.
        """
