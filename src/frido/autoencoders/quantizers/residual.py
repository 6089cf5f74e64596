"""Residual quantisation (Lee et al., 2022): what one codebook leaves over, the next one quantises."""

from collections.abc import Callable, Iterator
from functools import reduce

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders.base import at_least_float32
from frido.autoencoders.quantizers.base import Quantized, Quantizer
from frido.autoencoders.quantizers.nearest import straight_through
from frido.contracts.errors import FridoError

DEEPEST = 8


class ResidualQuantizer(Quantizer):
    """The sum of `depth` vectors, each from a codebook of its own, chosen greedily: coarse, then ever finer.

    (The paper shares one codebook among all depths.) Where the error of a quantizer is a fixed `gain` smaller than
    what it quantised, depth d sees the rest times `gain ** d`, so that it uses its whole range.

    Greedy choice is not idempotent: from depth 2 on, the sum of the chosen vectors may itself be coded by others.
    What holds: the codes of a map lead to its quantised map, and the chosen vectors of depth d are those of depth
    d + 1 without the last.

    The loss is the mean of the losses of all depths, each of what it saw; where `gain` is 1 these are distances of
    latents, and every other quantizer has none. It pulls latents to the partial sums at every depth. Their other
    gradient passes straight through the whole sum, also where the inner quantizer would pass another.

    Args:
        channels: Of the latents; added by the autoencoder.
        quantizer: Makes a `Quantizer` with one codebook, once per depth; `channels` is added here.
        depth: Codebooks, 1 to 8.

    Raises:
        FridoError: `depth` is out of range, or the inner quantizer has several codebooks, or none.
    """

    def __init__(self, *, channels: int, quantizer: Callable[..., Quantizer], depth: int) -> None:
        super().__init__()
        if not 1 <= depth <= DEEPEST:
            raise FridoError(
                "depth of the residual quantizer",
                got=depth,
                wanted=f"1 to {DEEPEST} codebooks",
                do="autoencoder.quantizer.depth=4",
            )
        self.depths = nn.ModuleList(quantizer(channels=channels) for _ in range(depth))
        first, *_ = self._depths()
        if first.num_codebooks != 1:
            raise FridoError(
                "inner quantizer of the residual quantizer",
                got=f"{type(first).__name__}, with {first.num_codebooks} codebooks",
                wanted="one codebook",
                do="autoencoder/quantizer@autoencoder.quantizer.quantizer=ema_vq",
            )
        self.channels, self.num_codes, self.num_codebooks = channels, first.num_codes, depth

    def bound(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return self._depths()[0].bound(features)

    def forward(self, latents: Float[Tensor, "batch channels height width"]) -> Quantized:
        with torch.autocast(latents.device.type, enabled=False):
            latents = at_least_float32(latents)
            rest, total = latents, torch.zeros_like(latents)
            made: list[Quantized] = []
            for quantizer, scale in self._scaled():
                made.append(quantizer(rest * scale))
                part = made[-1].latents.detach() / scale
                rest, total = rest - part, total + part
            codes = torch.cat([each.codes for each in made], dim=1)
            loss = torch.stack([each.loss for each in made]).mean()
            return Quantized(straight_through(total, latents), codes, loss)

    @torch.no_grad()
    def latents_to_codes(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Int[Tensor, "batch codebooks height width"]:
        rest = at_least_float32(latents)
        codes: list[Tensor] = []
        for quantizer, scale in self._scaled():
            codes.append(quantizer.latents_to_codes(rest * scale))
            rest = rest - quantizer.codes_to_latents(codes[-1]) / scale
        return torch.cat(codes, dim=1)

    def codes_to_latents(
        self, codes: Int[Tensor, "batch codebooks height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        parts = (
            quantizer.codes_to_latents(codes[:, index : index + 1]) / scale
            for index, (quantizer, scale) in enumerate(self._scaled())
        )
        return reduce(torch.add, parts)

    def _depths(self) -> list[Quantizer]:
        return list(self.depths)  # type: ignore[arg-type]

    def _scaled(self) -> Iterator[tuple[Quantizer, float | Tensor]]:
        """Yield the quantizer of every depth and what its input is multiplied by."""
        for index, quantizer in enumerate(self._depths()):
            yield quantizer, quantizer.gain**index
