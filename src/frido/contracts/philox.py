"""The random stream of one thing for one purpose. Imports no torch.

The generator is Philox (Salmon et al., 2011), keyed by position, so what belongs to one position can be drawn alone.
"""

import zlib

import numpy as np


def generator(seed: int, position: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one sample (epoch, image, ...) for one purpose ("noise/1", "time", "order")."""
    word = (seed << 32) ^ zlib.crc32(purpose.encode())
    return np.random.Generator(np.random.Philox(key=[word & (2**64 - 1), position]))
