"""Numbers as vectors."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def sinusoidal(time: Float[Tensor, "batch"], width: int) -> Float[Tensor, "batch width"]:
    """Return cosines, then sines, of `time` at wavelengths from 2 pi to 10000 * 2 pi (Vaswani et al., 2017).

    `time` is in steps of the schedule, fractions allowed. An odd `width` is padded with a zero.
    """
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=time.device) / half)
    angles = time.float()[:, None] * frequencies[None]
    embedding = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return torch.nn.functional.pad(embedding, (0, width - 2 * half))


def fourier(values: Float[Tensor, "... numbers"], bands: int) -> Float[Tensor, "... features"]:
    """Return sines and cosines of each number in [0, 1] at `bands` octaves, from half a period up (NeRF, eq. 4).

    The last axis has `numbers * 2 * bands` features.
    """
    octaves = math.pi * 2.0 ** torch.arange(bands, dtype=torch.float32, device=values.device)
    angles = values.float()[..., None] * octaves
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)


class TimeEmbedding(nn.Module):
    """Sinusoids of a time, through two linear layers.

    Args:
        width: Of the sinusoids.
        embedding_width: Of the result.
    """

    def __init__(self, *, width: int, embedding_width: int) -> None:
        super().__init__()
        self.width = width
        self.first = nn.Linear(width, embedding_width)
        self.second = nn.Linear(embedding_width, embedding_width)

    def forward(self, time: Float[Tensor, "batch"]) -> Float[Tensor, "batch embedding_width"]:
        sinusoids = sinusoidal(time, self.width).to(self.first.weight.dtype)
        return self.second(nn.functional.silu(self.first(sinusoids)))
