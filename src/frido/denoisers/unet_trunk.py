"""The U-Net between input and output convolutions."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from frido.contracts.denoiser import Condition
from frido.denoisers.gated_norm import GatedNorm
from frido.denoisers.resampling.base import Resampling
from frido.denoisers.trunks.base import MIDDLE, Trunk
from frido.nn.unet_resblock import UNetResBlock


class Parts(NamedTuple):
    """What a trunk is built of."""

    residual: Callable[..., UNetResBlock]
    """Takes `in_channels`, `out_channels`, `factor` of the input's grid, `out_factor` and `resample`."""
    attention: Callable[..., nn.Module]
    """Takes `channels` and `factor`."""
    resampling: Resampling
    trunk: Trunk


class TrunkBlock(nn.Module):
    """A residual block, an attention at the scales that attend here, and a change of resolution; any may be absent.

    `places` says where a scale's `Condition` holds what this block needs: its first norm, its first cross-attention.
    The trunk sets it.
    """

    places: dict[int, tuple[int, int]]

    def __init__(
        self,
        *,
        residual: UNetResBlock | None,
        attention: nn.Module | None,
        resample: nn.Module | None,
        attending: Collection[int],
    ) -> None:
        super().__init__()
        self.residual, self.attention, self.resample = residual, attention, resample
        self.attending = frozenset(attending)
        self.places = {}

    def attention_of(self, scale: int) -> nn.Module | None:
        return self.attention if scale in self.attending else None

    def norms(self, scale: int) -> list[GatedNorm]:
        """Return the gated norms that `scale` goes through, in the order of a condition's modulations."""
        found: list[nn.Module] = []
        for part in (self.residual, self.attention_of(scale), self.resample):
            if isinstance(part, UNetResBlock):
                found += [part.norm_in, part.norm_out]
            elif part is not None and part is not self.resample:
                found.append(part.norm)  # type: ignore[arg-type]
        return found  # type: ignore[return-value]

    def forward(
        self,
        hidden: Float[Tensor, "batch in_channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        condition: Condition,
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        norm, context = self.places[condition.scale]
        modulations: Sequence[tuple[Tensor, ...]] = condition.modulations[norm : norm + 5] or ((),) * 5
        if self.residual is not None:
            hidden = self.residual(hidden, embedding, modulations[:2])
            modulations = modulations[2:]
        attention = self.attention_of(condition.scale)
        if attention is not None:
            contexts = condition.attention[context : context + attention.num_contexts]  # type: ignore[operator]
            hidden = attention(hidden, embedding, modulations[0], contexts, condition.mask)
            modulations = modulations[1:]
        if isinstance(self.resample, UNetResBlock):
            return self.resample(hidden, embedding, modulations[:2])
        return hidden if self.resample is None else self.resample(hidden)


class ByScale(nn.ModuleList):
    """One block for each group of scales."""

    def __init__(self, groups: Sequence[Sequence[int]], build: Callable[[Sequence[int]], TrunkBlock]) -> None:
        super().__init__(build(group) for group in groups)
        self.place = {scale: index for index, group in enumerate(groups) for scale in group}

    def at(self, scale: int) -> TrunkBlock:
        return self[self.place[scale]]  # type: ignore[return-value]


class UNetTrunk(nn.Module):
    """Down, middle and up path with skips; the middle always attends (LDM's U-Net less its outer convolutions).

    Args:
        width: Channels at the input and output.
        multipliers: Channels of each level over `width`, from the finest.
        num_res_blocks: Residual blocks of a level going down; one more going up.
        attention_factors: For each scale, the downsampling factors of the levels that attend.
        checkpointing: Whether blocks are computed again in the backward pass instead of being kept: the same numbers
            in less memory and more time.
        parts: Of which it is built.
    """

    def __init__(
        self,
        *,
        width: int,
        multipliers: Sequence[int],
        num_res_blocks: int,
        attention_factors: Sequence[Sequence[int]],
        checkpointing: bool,
        parts: Parts,
    ) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        num_scales, last, resampling = len(attention_factors), len(multipliers) - 1, parts.resampling

        def slot(level: int, build: Callable[[Sequence[int]], TrunkBlock]) -> ByScale:
            return ByScale(parts.trunk.groups(level=level, num_scales=num_scales), build)

        def block(
            level: int, *, inside: int, outside: int, attends: Callable[[int], bool], up: bool = False
        ) -> ByScale:
            factor = 2 ** min(level, last)

            def build(group: Sequence[int]) -> TrunkBlock:
                attending = [scale for scale in group if attends(scale)]
                residual = parts.residual(
                    in_channels=inside, out_channels=outside, factor=factor, out_factor=factor, resample=nn.Identity()
                )
                return TrunkBlock(
                    residual=residual,
                    attention=parts.attention(channels=outside, factor=factor) if attending else None,
                    resample=resampling.up(channels=outside, factor=factor, residual=parts.residual) if up else None,
                    attending=attending,
                )

            return slot(level, build)

        def down(level: int, *, channels: int) -> ByScale:
            def build(group: Sequence[int]) -> TrunkBlock:
                resample = resampling.down(channels=channels, factor=2**level, residual=parts.residual)
                return TrunkBlock(residual=None, attention=None, resample=resample, attending=())

            return slot(level, build)

        def attends_at(level: int) -> Callable[[int], bool]:
            return lambda scale: 2**level in attention_factors[scale]

        self.down = nn.ModuleList()
        channels, skips = width, [width]
        for level, multiplier in enumerate(multipliers):
            for _ in range(num_res_blocks):
                outside = width * multiplier
                self.down.append(block(level, inside=channels, outside=outside, attends=attends_at(level)))
                channels = outside
                skips.append(channels)
            if level < last:
                self.down.append(down(level, channels=channels))
                skips.append(channels)

        middle = partial(block, MIDDLE, inside=channels, outside=channels)
        self.middle = nn.ModuleList([middle(attends=lambda scale: True), middle(attends=lambda scale: False)])

        self.up = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for index in range(num_res_blocks + 1):
                inside, outside = channels + skips.pop(), width * multiplier
                up = level > 0 and index == num_res_blocks
                self.up.append(block(level, inside=inside, outside=outside, attends=attends_at(level), up=up))
                channels = outside

        for scale in range(num_scales):
            norms, contexts = 0, 0
            for part in self._blocks(scale):
                part.places[scale] = norms, contexts
                norms += len(part.norms(scale))
                attention = part.attention_of(scale)
                contexts += 0 if attention is None else int(attention.num_contexts)  # type: ignore[arg-type]

    def _blocks(self, scale: int) -> list[TrunkBlock]:
        return [slot.at(scale) for path in (self.down, self.middle, self.up) for slot in path]  # type: ignore[operator]

    def parts(self) -> list[nn.Module]:
        """Return what the blocks of all scales are made of."""
        blocks = [module for module in self.modules() if isinstance(module, TrunkBlock)]
        found = [part for block in blocks for part in (block.residual, block.attention, block.resample)]
        return [part for part in found if part is not None]

    def norms(self, scale: int) -> list[GatedNorm]:
        """Return the gated norms that `scale` goes through, in the order of a condition's modulations."""
        return [norm for block in self._blocks(scale) for norm in block.norms(scale)]

    def keys_values(
        self, tokens: Float[Tensor, "batch tokens width"], *, scale: int
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        """Return what each cross-attention of `scale` makes of a context, in a condition's order."""
        attentions = [attention for block in self._blocks(scale) if (attention := block.attention_of(scale))]
        return tuple(pair for attention in attentions for pair in attention.keys_values(tokens))  # type: ignore[operator]

    def forward(
        self,
        hidden: Float[Tensor, "batch channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        condition: Condition,
    ) -> Float[Tensor, "batch channels height width"]:
        def run(slot: nn.Module, hidden: Tensor) -> Tensor:
            block = slot.at(condition.scale)  # type: ignore[operator]
            if self.checkpointing and torch.is_grad_enabled():
                return checkpoint(block, hidden, embedding, condition, use_reentrant=False)
            return block(hidden, embedding, condition)

        skips = [hidden]
        for slot in self.down:
            hidden = run(slot, hidden)
            skips.append(hidden)
        for slot in self.middle:
            hidden = run(slot, hidden)
        for slot in self.up:
            hidden = run(slot, torch.cat([hidden, skips.pop()], dim=1))
        return hidden
