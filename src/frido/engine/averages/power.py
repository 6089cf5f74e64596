"""An average whose length is a share of the training so far, so that others can be made from it."""

import numpy as np

from frido.engine.averages import length
from frido.engine.averages.base import Average


class Power(Average):
    """The power-function average of Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models"
    (CVPR 2024), section 3.1.

    After n images, the weights that were there after i images count in proportion to `i ** gamma`: old ones fade, the
    initial ones count nothing, and no length in images has to be chosen.

    Args:
        sigma_rel: Standard deviation of that profile, as a share of the images seen; in (0, 0.28).
    """

    def __init__(self, *, sigma_rel: float) -> None:
        self.sigma_rel, self.gamma = sigma_rel, exponent(sigma_rel)

    def decay(self, images_seen: int, *, batch: int) -> float:
        return (1 - batch / images_seen) ** (self.gamma + 1)


def exponent(sigma_rel: float) -> float:
    """Return the `gamma` of a profile of standard deviation `sigma_rel`: the largest root of the cubic that follows
    from `sigma_rel ** 2 = (gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3))`.

    Raises:
        FridoError: There is none that is positive.
    """
    length.check(sigma_rel, setting="sigma_rel")
    t = sigma_rel**-2
    return float(np.roots([1, 7, 16 - t, 12 - t]).real.max())
