"""PSNR and SSIM between generated images and real ones."""

from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor

from frido.metrics.image_quality import SMALLEST, psnr, ssim
from frido.metrics.pair_distance import MEANS, PairDistance


class Similarity(PairDistance):
    """PSNR (dB) and SSIM of each pair, in float64; their means. Equal images have a PSNR of 100."""

    names = ("psnr", "ssim")
    smallest = SMALLEST

    def compare(
        self, real: UInt8[Tensor, "batch 3 height width"], generated: UInt8[Tensor, "batch 3 height width"]
    ) -> dict[str, Float[Tensor, "batch"]]:
        images, made = (side.cpu().double() / 127.5 - 1 for side in (real, generated))
        return {"psnr": psnr(made, images), "ssim": ssim(made, images)}

    def about(self) -> dict[str, Any]:
        return {
            "weights_sha256": None,
            "note": MEANS,
            "psnr": "10 log10(255^2 / mean squared error over pixels and RGB), of each image; at most 100 dB",
            "ssim": "Wang et al. (2004): Gaussian windows of 11 pixels (sigma 1.5), K1 0.01, K2 0.03, on [0, 1], "
            "mirrored at the border (as torchmetrics), mean over RGB and pixels",
        }
