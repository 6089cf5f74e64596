"""What a finer scale sees of the coarser ones while it is trained."""

from abc import ABC, abstractmethod

from frido.contracts.pyramid import Pyramid


class TeacherForcing(ABC):
    """Prepares true coarse latents as conditions, since at sampling they will be generated ones."""

    @abstractmethod
    def __call__(self, coarse: Pyramid, noise: Pyramid) -> Pyramid:
        """Return `coarse` as the finer scale is to see it; `noise` is standard normal of the same shapes."""
