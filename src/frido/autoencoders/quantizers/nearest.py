"""Nearest neighbours in a codebook, by Euclidean distance."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor


def rows(latents: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "rows channels"]:
    """Return the vectors of a map as rows, in order of the batch, then of the lines; float32 at least."""
    return rearrange(latents if latents.dtype == torch.float64 else latents.float(), "b c h w -> (b h w) c")


def relative_distances(
    vectors: Float[Tensor, "rows channels"], codebook: Float[Tensor, "num_codes channels"]
) -> Float[Tensor, "rows num_codes"]:
    """Return `|z - e|^2 - |z|^2` of every vector z and code e: what is left out is the same for all codes."""
    return torch.addmm(codebook.square().sum(dim=1), vectors, codebook.t(), alpha=-2)


def nearest_code(
    latents: Float[Tensor, "batch channels height width"], codebook: Float[Tensor, "num_codes channels"]
) -> Int[Tensor, "batch 1 height width"]:
    """Return the index of the nearest row of `codebook` at every position; the first one among equals."""
    batch, _, height, width = latents.shape
    with torch.no_grad(), torch.autocast(latents.device.type, enabled=False):
        vectors = rows(latents)
        distances = relative_distances(vectors, codebook.to(vectors.dtype))
        return distances.argmin(dim=1).view(batch, 1, height, width)


def look_up(
    codes: Int[Tensor, "batch 1 height width"], codebook: Float[Tensor, "num_codes channels"]
) -> Float[Tensor, "batch channels height width"]:
    """Return the rows of `codebook` at `codes` as a map."""
    # Contiguous: the strides of a channels-last map would spread to every layer after it, and group norm over those
    # takes 20 times longer on CPUs.
    return rearrange(F.embedding(codes.squeeze(1), codebook), "b h w c -> b c h w").contiguous()


def straight_through(
    quantised: Float[Tensor, "batch channels height width"], latents: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch channels height width"]:
    """Return exactly `quantised`, with the gradient of `latents` (van den Oord et al., 2017, section 3.2)."""
    return quantised.detach() + (latents - latents.detach())  # the bracket is exactly zero
