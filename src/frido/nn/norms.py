"""Group normalisation as the VQGAN family uses it."""

import math

from torch import nn

GROUPS = 32
EPSILON = 1e-6


def group_norm(channels: int) -> nn.GroupNorm:
    """Return an affine group norm of 32 groups, or of as many as divide both 32 and `channels`; epsilon 1e-6."""
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels, eps=EPSILON)
