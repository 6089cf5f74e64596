"""Every scale on its own should show the image."""

from jaxtyping import Float
from torch import Tensor

from frido.autoencoders.base import Reconstruction
from frido.autoencoders.losses.base import PixelTerm
from frido.contracts.errors import FridoError


class AuxiliaryReconstruction:
    """Pixel error of images decoded from one scale, the latents of the others zeroed (Frido's released code).

    Args:
        weight: Of the sum over scales.
        weights: Of the scales, coarsest first; a scale of weight 0 is not decoded.
    """

    def __init__(self, *, weight: float, weights: list[float]) -> None:
        self.weight, self.weights = weight, weights

    def __call__(
        self, made: Reconstruction, images: Float[Tensor, "batch 3 height width"], pixel: PixelTerm
    ) -> Float[Tensor, ""]:
        """Return the sum over scales, without `weight`.

        Raises:
            FridoError: There are more or fewer weights than scales.
        """
        if len(self.weights) != len(made.codes):
            raise FridoError(
                "first_stage.loss.auxiliary.weights",
                got=f"{self.weights} for {len(made.codes)} scales",
                wanted="a weight for every scale, coarsest first",
                do=f"first_stage.loss.auxiliary.weights={[1, *[0] * (len(made.codes) - 1)]}".replace(" ", ""),
            )
        terms = (weight * pixel(made.alone(scale), images) for scale, weight in enumerate(self.weights) if weight)
        return sum(terms, start=images.new_zeros(()))
