"""Frido's PyU-Net: one scale of a pyramid at a time, given all coarser ones."""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.contracts.context import Context
from frido.contracts.denoiser import Condition, Denoiser
from frido.contracts.pyramid import Pyramid
from frido.denoisers.gated_norm import GatedNorm
from frido.denoisers.gates.base import Gate
from frido.denoisers.trunks.base import Trunk
from frido.denoisers.unet_trunk import BlockSettings, UNetTrunk
from frido.nn.embeddings import TimeEmbedding


class PyUNet(Denoiser):
    """U-Net with an input convolution, an output head and an embedding per scale, around a trunk (Fan et al., 2023).

    Args:
        channels: Latent channels of each scale, coarsest first (run time).
        context_width: Of the condition's tokens; 0 builds no cross-attention (run time).
        width: Channels of the first level; the embeddings are four times as wide.
        multipliers: Channels of each level over `width`.
        num_res_blocks: Residual blocks per level.
        attention_factors: Downsampling factors of the levels that attend in the finest scale, for example [2] for the
            second level only. The middle always attends.
        coarse_attention_factors: The same for all coarser scales, whose grids may be small enough to attend on whole.
        transformer_depth: Layers per transformer.
        head_channels: Width of an attention head; null is one head of all channels, as the official weights have.
        groups: Of the group norms, at most.
        dropout: In residual blocks and feed-forwards.
        trunk: Partial of a `Trunk`: which scales share weights.
        gate: Partial of a `Gate`: how the coarser scales come in.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        context_width: int,
        width: int,
        multipliers: Sequence[int],
        num_res_blocks: int,
        attention_factors: Sequence[int],
        coarse_attention_factors: Sequence[int],
        transformer_depth: int,
        head_channels: int | None,
        groups: int,
        dropout: float,
        trunk: Callable[..., Trunk],
        gate: Callable[..., Gate],
    ) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.context_width = context_width
        self.time_embedding = TimeEmbedding(width=width, embedding_width=4 * width)
        self.scale_embedding = nn.Embedding(len(channels), 4 * width)

        def norm(*, channels: int, epsilon: float, factor: int) -> GatedNorm:
            site = gate(channels=channels, coarse_channels=width)
            return GatedNorm(channels=channels, groups=groups, epsilon=epsilon, gate=site, factor=factor)

        settings = BlockSettings(4 * width, context_width, transformer_depth, head_channels, dropout, norm)
        scales = range(len(channels))

        def build(served: Sequence[int]) -> UNetTrunk:
            finest = len(channels) - 1
            return UNetTrunk(
                width=width,
                multipliers=multipliers,
                num_res_blocks=num_res_blocks,
                attention_factors={
                    scale: attention_factors if scale == finest else coarse_attention_factors for scale in served
                },
                settings=settings,
            )

        self.trunk = trunk(build=build, num_scales=len(channels))
        self.concatenates = self.trunk.at(0).norms(0)[0].gate.concatenates

        coarse = [sum(channels[:scale]) for scale in scales]
        self.inputs = nn.ModuleList(
            nn.Conv2d(own + self.concatenates * below, width, 3, padding=1)
            for own, below in zip(channels, coarse, strict=True)
        )
        self.coarse_inputs = nn.ModuleList(
            nn.Conv2d(below, width, 3, padding=1) for below in coarse[1:] if not self.concatenates
        )
        self.outputs = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(math.gcd(groups, width), width), nn.SiLU(), nn.Conv2d(width, own, 3, padding=1))
            for own in channels
        )
        for head in self.outputs:
            nn.init.zeros_(head[2].weight)  # type: ignore[index]
            nn.init.zeros_(head[2].bias)  # type: ignore[index]

        # Nothing is coarser than scale 0: DDP would wait in vain for gates that only it goes through.
        used = {id(norm) for scale in scales[1:] for norm in self.trunk.at(scale).norms(scale)}
        for site in self.trunk.modules():
            if isinstance(site, GatedNorm) and id(site) not in used:
                site.gate.requires_grad_(False)

    def condition(self, *, scale: int, coarse: Pyramid, context: Context) -> Condition:
        """See `Denoiser.condition`. Tokens without a mask are all attended to.

        Without tokens and coarse latents the batch is unknown, and a batch of one is returned that fits any.
        """
        assert len(coarse) == scale, f"scale {scale} needs {scale} coarser latents, got {len(coarse)}"
        assert context.map is None and context.pooled is None, "PyUNet takes a context by cross-attention only"
        assert self.context_width == 0 or context.tokens is not None, "built for a context, called without one"
        trunk = self.trunk.at(scale)

        known = [tensor for tensor in (context.tokens, *coarse) if tensor is not None]
        embedding = self.scale_embedding.weight[scale].expand(known[0].shape[0] if known else 1, -1)

        attention: tuple[tuple[Tensor, Tensor], ...] = ()
        mask = None
        if self.context_width:
            assert context.tokens is not None
            attention = trunk.keys_values(context.tokens, scale=scale)
            mask = context.mask

        modulations: tuple[tuple[Tensor, Tensor], ...] = ()
        features: tuple[Tensor, ...] = ()
        if coarse and self.concatenates:
            features = (torch.cat(coarse, dim=1),)
        elif coarse:
            modulations = self._modulations(trunk.norms(scale), self.coarse_inputs[scale - 1](torch.cat(coarse, 1)))
        return Condition(scale, embedding, modulations, attention, mask, features)

    @staticmethod
    def _modulations(norms: Sequence[GatedNorm], coarse: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
        """Return the modulation of each norm, from one map of features resized to the norm's grid."""
        height, width = coarse.shape[2:]
        maps = {
            factor: F.interpolate(coarse, size=(height // factor, width // factor), mode="nearest")
            for factor in {norm.factor for norm in norms}
        }
        return tuple(norm.gate(maps[norm.factor]) for norm in norms)

    def forward(
        self,
        noisy: Float[Tensor, "batch channels height width"],
        time: Float[Tensor, "batch"],
        condition: Condition,
    ) -> Float[Tensor, "batch channels height width"]:
        scale = condition.scale
        embedding = F.silu(self.time_embedding(time) + condition.embedding)
        hidden = self.inputs[scale](torch.cat([*condition.features, noisy], dim=1))
        return self.outputs[scale](self.trunk.at(scale)(hidden, embedding, condition))
