"""How near an image is to another, per image; both in [-1, 1], the made one clipped to it."""

from jaxtyping import Float
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure


def psnr(
    made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch"]:
    """Return the peak signal-to-noise ratio in dB; 100 for equal images."""
    error = ((made.clamp(-1, 1) - images) / 2).square().mean(dim=(1, 2, 3))
    return -10 * error.clamp_min(1e-10).log10()


def ssim(
    made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch"]:
    """Return the structural similarity (Wang et al., 2004) over Gaussian windows of 11 pixels, mean over RGB: 1 for
    equal images, to about 0.0002 in float32."""
    # On [0, 1], as published: its luminance term is not the same on a shifted range.
    made, images = (made.clamp(-1, 1) + 1) / 2, (images + 1) / 2
    values = structural_similarity_index_measure(made, images, data_range=1.0, reduction="none")
    assert isinstance(values, Tensor)
    return values.reshape(len(images))
