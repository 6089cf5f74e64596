"""The hinge objective."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from frido.autoencoders.losses.base import Objective


class Hinge(Objective):
    """Pushes logits of real images above 1 and of made ones below -1 (Lim and Ye, 2017), halved as in VQGAN."""

    def __call__(self, real: Float[Tensor, "*patches"], made: Float[Tensor, "*patches"]) -> Float[Tensor, ""]:
        return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
