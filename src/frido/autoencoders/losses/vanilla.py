"""The original objective of a GAN."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from frido.autoencoders.losses.base import Objective


class Vanilla(Objective):
    """Cross-entropy of real against made (Goodfellow et al., 2014, equation 1), halved as in VQGAN."""

    def __call__(self, real: Float[Tensor, "*patches"], made: Float[Tensor, "*patches"]) -> Float[Tensor, ""]:
        return 0.5 * (F.softplus(-real).mean() + F.softplus(made).mean())
