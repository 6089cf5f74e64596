"""Which codes are in use, and how evenly."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders.base import Autoencoder, Codes
from frido.contracts.errors import FridoError


class CodebookUse(nn.Module):
    """Counts of every code, `(codebooks, num_codes)` per scale; scales without codebooks are left out.

    Counts and the number of images are buffers: a checkpoint holds them, so a resumed training refuses what an
    uninterrupted one would.

    Args:
        autoencoder: Whose codes are counted.
    """

    images: Int[Tensor, ""]

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.sizes = {scale: size for scale, size in enumerate(autoencoder.num_codes) if size}
        for scale, size in self.sizes.items():
            shape = (autoencoder.num_codebooks[scale], size)
            self.register_buffer(f"scale_{scale}", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))

    @property
    def counts(self) -> dict[int, Int[Tensor, "_codebooks _num_codes"]]:
        """Return by scale what was added since the last `reset`."""
        return {scale: self.get_buffer(f"scale_{scale}") for scale in self.sizes}

    def count(self, codes: Codes) -> dict[int, Int[Tensor, "_codebooks _num_codes"]]:
        """Return by scale how often each code occurs in `codes`; adds nothing."""
        return {
            scale: torch.stack([torch.bincount(book.flatten(), minlength=size) for book in codes[scale].unbind(1)])
            for scale, size in self.sizes.items()
        }

    def add(self, counts: dict[int, Int[Tensor, "_codebooks _num_codes"]], *, images: int) -> None:
        """Take in the counts of so many images."""
        self.images += images
        for scale, added in counts.items():
            self.counts[scale].add_(added)

    def reset(self) -> None:
        for buffer in self.buffers():
            buffer.zero_()

    def check(self, *, least: float, images_seen: int) -> None:
        """Refuse a codebook of which fewer than `least` effective codes are in use.

        Raises:
            FridoError: It collapsed.
        """
        for scale, counts in self.counts.items():
            for index, found in enumerate(perplexity(counts).tolist()):
                if found < least:
                    which = f"codebook {index} of scale {scale}" if len(counts) > 1 else f"codebook of scale {scale}"
                    raise FridoError(
                        f"{which} after {images_seen} images",
                        got=f"collapsed: perplexity {found:.2f} of {counts.shape[1]} codes, "
                        f"over the last {int(self.images)} images",
                        wanted=f"at least first_stage.least_perplexity={least}",
                        do="The checkpoint before this one is kept. Try autoencoder/quantizer=ema_vq, which revives "
                        "unused codes, or fsq, which has none to lose, or a lower size.autoencoder_learning_rate. "
                        "first_stage.least_perplexity=1 lets it go on.",
                    )


def perplexity(counts: Int[Tensor, "codebooks num_codes"]) -> Float[Tensor, "codebooks"]:
    """Return the effective number of codes: 1 for one alone, `num_codes` for equal use."""
    share = counts.double() / counts.sum(dim=1, keepdim=True)
    return torch.special.entr(share).sum(dim=1).exp()


def usage(counts: Int[Tensor, "codebooks num_codes"]) -> Float[Tensor, "codebooks"]:
    """Return the share of codes that occur at all."""
    return (counts > 0).double().mean(dim=1)
