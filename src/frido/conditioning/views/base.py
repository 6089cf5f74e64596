"""From an image to what the denoiser is shown of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from frido.conditioning.views.masks import Masks
from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid

Prepared = Shaped[Tensor, "batch _channels _height _width"] | None
"""What is computed once per image and cached beside its latents; `None` where nothing is shown."""


class View(nn.Module, ABC):
    """What of the image itself the denoiser is shown, besides annotations: `Context.map`.

    Built by a partial with the run-time arguments `vocabulary`, `latent_channels` and `factor`, those of the finest
    scale of the autoencoder. `prepare` has no parameters and no gradient; `forward` may learn.

    Promises: a row of `prepare` is a function of that image, its segmentation and its position alone; `forward` gives
    `channels` channels, and no map exactly where `channels` is 0.
    """

    channels: int
    """Of the map; 0 shows nothing."""
    masks: Masks | None = None
    """What hides parts of the image, in a view that shows the rest; a person's own mask may take its place."""

    @abstractmethod
    def check(self, batch: Batch) -> None:
        """Raise `FridoError` where a batch lacks what is to be shown."""

    @abstractmethod
    def prepare(self, batch: Batch, *, encode: Callable[[Tensor], Pyramid]) -> Prepared:
        """Return what there is to show of the images of a batch.

        Args:
            batch: Has passed `check`. Its positions are the keys of whatever is drawn at random.
            encode: Of the frozen autoencoder: images in [-1, 1] to scaled latents.
        """

    @abstractmethod
    def picture(self, batch: Batch) -> Float[Tensor, "batch 3 height width"] | None:
        """Return what `prepare` shows, as images in [-1, 1] for people, on the grid of the images."""

    @abstractmethod
    def forward(self, prepared: Prepared) -> Float[Tensor, "batch channels map_height map_width"] | None:
        """Return the map."""


def require_images(batch: Batch, view: str) -> None:
    """Raise `FridoError` where a batch has no images for the view that is called `view`."""
    if batch.images is None:
        raise FridoError(
            f"view={view}",
            got=f"scenes without images ({batch.ids[0]}, ...)",
            wanted="an image of every scene, to show a part of it",
            do="image=FILE, or draw held-out scenes (leave out scenes=FILE)",
        )


def require_sides(batch: Batch, view: str, name: str, divisor: int) -> None:
    """Raise `FridoError` where the sides of the images are no multiples of `divisor`, the setting `name`."""
    height, width = batch.pixels.shape[2:]
    if height % divisor or width % divisor:
        raise FridoError(
            name,
            got=f"{divisor}, with images of {width} x {height} pixels",
            wanted=f"a divisor of both sides, for view={view}",
            do=f"{name}=4, or another resolution",
        )
