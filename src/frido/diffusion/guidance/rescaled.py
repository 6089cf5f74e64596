"""Classifier-free guidance that keeps the contrast of what it guides."""

from jaxtyping import Float
from torch import Tensor

from frido.contracts.errors import FridoError
from frido.diffusion.guidance.classifier_free import ClassifierFree


class Rescaled(ClassifierFree):
    """The guided prediction, scaled towards the standard deviation of the conditional one (Lin et al., 2023, 3.4).

    A large weight makes predictions larger than any that training showed, and pictures overexposed.
    Weight 1 is the condition alone, computed alone.

    Args:
        weight: 1 none, more presses the condition.
        phi: Share of the rescaled prediction, in [0, 1]; 0 is classifier-free guidance as it is.
    """

    def __init__(self, *, weight: float | list[float], phi: float) -> None:
        if not 0 <= phi <= 1:
            raise FridoError(
                "diffusion.guidance.phi", got=phi, wanted="a share in [0, 1]", do="diffusion.guidance.phi=0.7"
            )
        super().__init__(weight=weight)
        self.phi = phi

    def press(
        self,
        unconditional: Float[Tensor, "batch channels height width"],
        conditional: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch channels height width"]:
        pressed = super().press(unconditional, conditional)
        wanted, got = (x.float().std(dim=(1, 2, 3), keepdim=True) for x in (conditional, pressed))
        return pressed * (self.phi * wanted / got + (1 - self.phi)).to(pressed.dtype)
