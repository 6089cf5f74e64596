"""Frido's PyU-Net: one scale of a pyramid at a time, given all coarser ones. With one scale it is LDM's U-Net."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.contracts.context import Context, ContextWidths
from frido.contracts.denoiser import Condition, Denoiser
from frido.contracts.pyramid import Pyramid
from frido.denoisers.gated_norm import GatedNorm
from frido.denoisers.gates.base import Gate
from frido.denoisers.resampling.base import Resampling
from frido.denoisers.trunks.base import Trunk
from frido.denoisers.unet_trunk import Parts, UNetTrunk
from frido.nn.embeddings import TimeEmbedding
from frido.nn.resample import on_grid
from frido.nn.unet_resblock import UNetResBlock


class PyUNet(Denoiser):
    """U-Net with an input convolution, an output head and an embedding per scale, around a trunk (Fan et al., 2023).

    A context comes in by cross-attention (tokens), concatenated to the noisy latent (map), added to the embedding
    (pooled), or by several of these.

    Args:
        channels: Latent channels of each scale, coarsest first (run time).
        context: Channels of the parts of a context, 0 for absent ones, which nothing is built for (run time).
        tells_level: Whether finer scales are told the share of noise in the coarser ones (run time).
        width: Channels of the first level; the embeddings are four times as wide.
        multipliers: Channels of each level over `width`.
        num_res_blocks: Residual blocks per level.
        attention_factors: Downsampling factors of the levels that attend in the finest scale, for example [2] for the
            second level only. The middle always attends.
        coarse_attention_factors: The same for all coarser scales, whose grids may be small enough to attend on whole.
        groups: Of the group norms, at most.
        dropout: In residual blocks.
        checkpointing: Whether blocks are computed again in the backward pass, to save memory; exact.
        trunk: Which scales share weights.
        gate: How the coarser scales come in.
        attention: Partial of `SpatialTransformer` or `AttentionBlock`.
        injection: Partial of `AddEmbedding` or `ScaleShiftEmbedding`: how time and stage come in.
        resampling: How levels change their resolution.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        context: ContextWidths,
        tells_level: bool,
        width: int,
        multipliers: Sequence[int],
        num_res_blocks: int,
        attention_factors: Sequence[int],
        coarse_attention_factors: Sequence[int],
        groups: int,
        dropout: float,
        checkpointing: bool,
        trunk: Trunk,
        gate: Gate,
        attention: Callable[..., nn.Module],
        injection: Callable[..., nn.Module],
        resampling: Resampling,
    ) -> None:
        super().__init__()
        self.channels, self.context, self.gate = tuple(channels), context, gate
        embedding_width, scales = 4 * width, range(len(channels))
        finer = scales[1:]
        self.time_embedding = TimeEmbedding(width=width, embedding_width=embedding_width)
        self.scale_embedding = nn.Embedding(len(channels), embedding_width) if finer else None
        self.pooled = nn.Linear(context.pooled, embedding_width, bias=False) if context.pooled else None
        self.level_embedding: TimeEmbedding | None = None
        if tells_level and finer:
            self.level_embedding = TimeEmbedding(width=width, embedding_width=embedding_width)
            _silence(self.level_embedding.second)

        def norm(*, channels: int, epsilon: float, factor: int, attends: bool) -> GatedNorm:
            site = gate.site(channels=channels, coarse_channels=width, embedding_width=embedding_width, attends=attends)
            return GatedNorm(
                channels=channels, groups=groups, epsilon=epsilon, gate=site if finer else None, factor=factor
            )

        def residual(
            *, in_channels: int, out_channels: int, factor: int, out_factor: int, resample: nn.Module
        ) -> UNetResBlock:
            return UNetResBlock(
                in_channels=in_channels,
                out_channels=out_channels,
                dropout=dropout,
                norm_in=norm(channels=in_channels, epsilon=1e-5, factor=factor, attends=False),
                norm_out=norm(channels=out_channels, epsilon=1e-5, factor=out_factor, attends=False),
                embedding=injection(embedding_width=embedding_width, channels=out_channels),
                resample=resample,
            )

        def attending(*, channels: int, factor: int) -> nn.Module:
            site = partial(norm, factor=factor, attends=True)
            return attention(channels=channels, context_width=context.tokens, norm=site)

        self.trunk = UNetTrunk(
            width=width,
            multipliers=multipliers,
            num_res_blocks=num_res_blocks,
            attention_factors=[*[coarse_attention_factors] * len(finer), attention_factors],
            checkpointing=checkpointing,
            parts=Parts(residual, attending, resampling, trunk),
        )

        below = [sum(channels[:scale]) for scale in scales]
        entering = [context.map + (coarse if gate.enters == "input" else 0) for coarse in below]
        self.inputs = nn.ModuleList(
            nn.Conv2d(extra + own, width, 3, padding=1) for own, extra in zip(channels, entering, strict=True)
        )
        for scale in finer:
            gate.start(self.inputs[scale], coarse=below[scale])  # type: ignore[arg-type]
        self.coarse_inputs = nn.ModuleList(
            nn.Conv2d(below[scale], width, 3, padding=1) for scale in finer if gate.enters == "norms"
        )
        self.outputs = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(math.gcd(groups, width), width), nn.SiLU(), nn.Conv2d(width, own, 3, padding=1))
            for own in channels
        )
        for head in self.outputs:
            _silence(head[2])  # type: ignore[index]

        # Nothing is coarser than scale 0: DDP would wait in vain for gates that only it goes through.
        used = {id(norm) for scale in finer for norm in self.trunk.norms(scale)}
        for site in self.trunk.modules():
            if isinstance(site, GatedNorm) and site.gate is not None and id(site) not in used:
                site.gate.requires_grad_(False)

    def blocks(self) -> list[nn.Module]:
        """Return the residual blocks, attentions and changes of resolution."""
        return self.trunk.parts()

    def condition(
        self, *, scale: int, coarse: Pyramid, context: Context, level: Float[Tensor, "batch"] | None = None
    ) -> Condition:
        """See `Denoiser.condition`. Tokens without a mask are all attended to.

        Where nothing says how large the batch is, a batch of one is returned that fits any.
        """
        assert len(coarse) == scale, f"scale {scale} needs {scale} coarser latents, got {len(coarse)}"
        for part, width in self.context._asdict().items():
            given = getattr(context, part) is not None
            assert given == (width > 0), (
                f"built for {width} channels of context.{part}, {'got' if given else 'no'} some"
            )

        known = [tensor for tensor in (context.tokens, context.map, context.pooled, *coarse) if tensor is not None]
        batch = known[0].shape[0] if known else 1
        embedding = self.time_embedding.second.weight.new_zeros(batch, self.time_embedding.second.out_features)
        if self.scale_embedding is not None:
            embedding = embedding + self.scale_embedding.weight[scale]
        if self.pooled is not None:
            embedding = embedding + self.pooled(context.pooled)
        if self.level_embedding is not None and scale > 0:
            assert level is not None, "built to be told the share of noise in the coarser scales, called without it"
            embedding = embedding + self.level_embedding(1000 * level)

        attention: tuple[tuple[Tensor, Tensor], ...] = ()
        if context.tokens is not None:
            attention = self.trunk.keys_values(context.tokens, scale=scale)

        modulations: tuple[tuple[Tensor, ...], ...] = ()
        maps = [] if context.map is None else [context.map]
        if coarse and self.gate.enters == "input":
            maps = [*coarse, *maps]
        elif coarse and self.gate.enters == "norms":
            features = self.coarse_inputs[scale - 1](torch.cat(coarse, dim=1))
            modulations = _modulations(self.trunk.norms(scale), features)
        return Condition(scale, embedding, modulations, attention, context.mask, tuple(maps))

    def forward(
        self,
        noisy: Float[Tensor, "batch channels height width"],
        time: Float[Tensor, "batch"],
        condition: Condition,
    ) -> Float[Tensor, "batch channels height width"]:
        scale = condition.scale
        embedding = F.silu(self.time_embedding(time) + condition.embedding)
        maps = [on_grid(features, (noisy.shape[2], noisy.shape[3])).to(noisy.dtype) for features in condition.features]
        hidden = self.inputs[scale](torch.cat([*maps, noisy], dim=1))
        return self.outputs[scale](self.trunk(hidden, embedding, condition))


def _modulations(norms: Sequence[GatedNorm], coarse: Tensor) -> tuple[tuple[Tensor, ...], ...]:
    """Return what each norm's gate makes of one map of features, resized to the norm's grid."""
    height, width = coarse.shape[2:]
    maps = {
        factor: F.interpolate(coarse, size=(height // factor, width // factor), mode="nearest")
        for factor in {norm.factor for norm in norms}
    }
    return tuple(() if norm.gate is None else norm.gate.prepare(maps[norm.factor]) for norm in norms)


def _silence(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
