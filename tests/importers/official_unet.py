"""Official U-Nets (LDM's, Frido's PyU-Net) as a plain function, written from what is known of their code.

Nothing here knows how Frido builds or names things. As in `official.py`, a weight comes into being when the forward
pass first asks for it, so passes over all stages fabricate a checkpoint with official names.
"""

import math

import torch
import torch.nn.functional as F

from tests.importers.fabricated import Fabricated

SPADE_WIDTH = 128


class OfficialUNet(Fabricated):
    """A U-Net of `config`, the official `unet_config.params`."""

    # Parts

    def linear(self, name, x, out, bias=True):
        weight = self.param(f"{name}.weight", out, x.shape[-1])
        return F.linear(x, weight, self.param(f"{name}.bias", out) if bias else None)

    def affine(self, name, x, normalise):
        size = x.shape[1]
        return normalise(self.param(f"{name}.weight", size), self.param(f"{name}.bias", size))

    def norm(self, name, x, coarse, eps=1e-5):
        """A group norm; with SPADE it lies one name deeper, and a coarse map scales and shifts what it returns."""
        spade = self.config.get("use_SPADE_norm", False)
        inner = f"{name}.param_free_norm" if spade else name
        normed = self.affine(inner, x, lambda weight, bias: F.group_norm(x, 32, weight, bias, eps))
        if not spade:
            return normed
        here = torch.zeros(len(x), self.config["model_channels"], *x.shape[2:]) if coarse is None else coarse
        resized = F.interpolate(here.to(x.device), size=x.shape[2:], mode="nearest")
        hidden = self.conv(f"{name}.mlp_shared.0", resized, SPADE_WIDTH).relu()
        scale, shift = (self.conv(f"{name}.{part}", hidden, x.shape[1]) for part in ("mlp_gamma", "mlp_beta"))
        return normed if coarse is None else normed * (1 + scale) + shift

    def residual(self, name, x, embedding, coarse, out, resample=None):
        def resized(x):
            if resample == "up":
                return F.interpolate(x, scale_factor=2, mode="nearest")
            return F.avg_pool2d(x, 2) if resample == "down" else x

        hidden = resized(F.silu(self.norm(f"{name}.in_layers.0", x, coarse)))
        hidden = self.conv(f"{name}.in_layers.2", hidden, out)
        twice = self.config.get("use_scale_shift_norm", False)
        told = self.linear(f"{name}.emb_layers.1", F.silu(embedding), out * (1 + twice))[:, :, None, None]
        if twice:
            scale, shift = told.chunk(2, dim=1)
            hidden = self.norm(f"{name}.out_layers.0", hidden, coarse) * (1 + scale) + shift
        else:
            hidden = self.norm(f"{name}.out_layers.0", hidden + told, coarse)
        hidden = self.conv(f"{name}.out_layers.3", F.silu(hidden), out)
        x = resized(x)
        return hidden + (x if x.shape[1] == out else self.conv(f"{name}.skip_connection", x, out, 1))

    def heads(self, channels):
        count, width = self.config.get("num_heads", -1), self.config.get("num_head_channels", -1)
        if "split_embed_dim_list" in self.config and self.config.get("legacy", True):
            # Frido's legacy heads: one, unless plain attention is given a width
            return 1 if self.config.get("use_spatial_transformer") or width == -1 else channels // width
        return count if width == -1 else channels // width

    def mixed(self, q, k, v):
        """Attention of `(batch, heads, positions, width)`."""
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(q.shape[-1])
        return torch.einsum("bhij,bhjd->bhid", scores.softmax(dim=-1), v)

    def attention(self, name, x, context, coarse):
        if self.config.get("use_spatial_transformer"):
            return self.transformer(name, x, context, coarse)
        batch, channels, height, width = x.shape
        heads = self.heads(channels)
        normed = self.norm(f"{name}.norm", x, coarse).flatten(2)
        weight, bias = (
            self.param(f"{name}.qkv.weight", 3 * channels, channels, 1),
            self.param(f"{name}.qkv.bias", 3 * channels),
        )
        qkv = F.conv1d(normed, weight, bias)
        if self.config.get("use_new_attention_order"):
            parts = qkv.view(batch, 3, heads, channels // heads, -1).unbind(1)
        else:
            parts = qkv.view(batch, heads, 3, channels // heads, -1).unbind(2)
        found = self.mixed(*(part.transpose(2, 3) for part in parts)).transpose(2, 3).reshape(batch, channels, -1)
        weight, bias = (
            self.param(f"{name}.proj_out.weight", channels, channels, 1),
            self.param(f"{name}.proj_out.bias", channels),
        )
        return x + F.conv1d(found, weight, bias).view(batch, channels, height, width)

    def transformer(self, name, x, context, coarse):
        channels, (height, width) = x.shape[1], x.shape[2:]
        hidden = self.conv(f"{name}.proj_in", self.norm(f"{name}.norm", x, coarse, eps=1e-6), channels, 1)
        hidden = hidden.flatten(2).transpose(1, 2)
        for depth in range(self.config.get("transformer_depth", 1)):
            layer = f"{name}.transformer_blocks.{depth}"
            normed = self.layer_norm(f"{layer}.norm1", hidden)
            hidden = hidden + self.attend(f"{layer}.attn1", normed, normed)
            normed = self.layer_norm(f"{layer}.norm2", hidden)
            hidden = hidden + self.attend(f"{layer}.attn2", normed, context)
            values, gates = self.linear(
                f"{layer}.ff.net.0.proj", self.layer_norm(f"{layer}.norm3", hidden), 8 * channels
            ).chunk(2, dim=-1)
            hidden = hidden + self.linear(f"{layer}.ff.net.2", values * F.gelu(gates), channels)
        hidden = hidden.transpose(1, 2).reshape(-1, channels, height, width)
        return x + self.conv(f"{name}.proj_out", hidden, channels, 1)

    def layer_norm(self, name, x):
        size = x.shape[-1]
        return F.layer_norm(x, (size,), self.param(f"{name}.weight", size), self.param(f"{name}.bias", size))

    def attend(self, name, x, source):
        channels = x.shape[-1]
        heads = self.heads(channels)
        parts = (("to_q", x), ("to_k", source), ("to_v", source))
        q, k, v = (
            self.linear(f"{name}.{part}", given, channels, bias=False)
            .unflatten(-1, (heads, channels // heads))
            .transpose(1, 2)
            for part, given in parts
        )
        return self.linear(f"{name}.to_out.0", self.mixed(q, k, v).transpose(1, 2).flatten(2), channels)

    # The network

    def embedding(self, t, y, stage):
        width, half = self.config["model_channels"], self.config["model_channels"] // 2
        angles = t[:, None] * torch.exp(torch.arange(half, device=t.device) * (-math.log(10000) / half))
        hidden = torch.cat([angles.cos(), angles.sin()], dim=1)
        hidden = F.silu(self.linear("time_embed.0", hidden, 4 * width))
        hidden = self.linear("time_embed.2", hidden, 4 * width)
        if self.config.get("num_classes") is not None:
            hidden = hidden + self.param("label_emb.weight", self.config["num_classes"], 4 * width)[y]
        if self.config.get("num_stage", 1) > 1:
            hidden = hidden + self.param("stage_emb.weight", self.config["num_stage"], 4 * width)[stage]
        return hidden

    def enter(self, x, stage):
        """Return what the first convolution makes of `x`, and the map of the coarser scales for SPADE."""
        width = self.config["model_channels"]
        if "split_embed_dim_list" not in self.config:
            return self.conv("input_blocks.0.0", x, width), None
        sizes = self.config["split_embed_dim_list"]
        below, own = sum(sizes[:stage]), sizes[stage]
        if not self.config.get("use_SPADE_norm"):
            return self.conv(f"pre_input_blocks.{stage}.0", x[:, : below + own], width), None
        coarse = self.conv(f"pre_input_cond_blocks.{stage - 1}.0", x[:, :below], width) if stage else None
        return self.conv(f"pre_input_blocks.{stage}.0", x[:, below : below + own], width), coarse

    def __call__(self, x, t, *, context=None, y=None, stage=0):
        config, width = self.config, self.config["model_channels"]
        embedding = self.embedding(t, y, stage)
        hidden, coarse = self.enter(x, stage)
        split = "split_embed_dim_list" in config
        expert = f"_expert.{stage}" if config.get("use_stage_expert") else ""
        updown, factors, last = (
            config.get("resblock_updown"),
            config["attention_resolutions"],
            len(config["channel_mult"]) - 1,
        )
        skips, index, factor = [hidden], 0 if split else 1, 1
        for level, multiplier in enumerate(config["channel_mult"]):
            for _ in range(config["num_res_blocks"]):
                block = f"input_blocks{expert}.{index}"
                hidden = self.residual(f"{block}.0", hidden, embedding, coarse, width * multiplier)
                if factor in factors:
                    hidden = self.attention(f"{block}.1", hidden, context, coarse)
                skips.append(hidden)
                index += 1
            if level < last:
                block, size = f"input_blocks{expert}.{index}.0", hidden.shape[1]
                if updown:
                    hidden = self.residual(block, hidden, embedding, coarse, size, "down")
                else:
                    hidden = self.conv(f"{block}.op", hidden, size, stride=2)
                skips.append(hidden)
                index, factor = index + 1, factor * 2

        block, size = f"middle_block{expert}", hidden.shape[1]
        hidden = self.residual(f"{block}.0", hidden, embedding, coarse, size)
        hidden = self.attention(f"{block}.1", hidden, context, coarse)
        hidden = self.residual(f"{block}.2", hidden, embedding, coarse, size)

        index = 0
        for level, multiplier in reversed(list(enumerate(config["channel_mult"]))):
            for number in range(config["num_res_blocks"] + 1):
                block, place = f"output_blocks{expert}.{index}", 1
                hidden = torch.cat([hidden, skips.pop()], dim=1)
                hidden = self.residual(f"{block}.0", hidden, embedding, coarse, width * multiplier)
                if factor in factors:
                    hidden, place = self.attention(f"{block}.1", hidden, context, coarse), 2
                if level and number == config["num_res_blocks"]:
                    block, size, factor = f"{block}.{place}", hidden.shape[1], factor // 2
                    if updown:
                        hidden = self.residual(block, hidden, embedding, coarse, size, "up")
                    else:
                        hidden = F.interpolate(hidden, scale_factor=2, mode="nearest")
                        hidden = self.conv(f"{block}.conv", hidden, size)
                index += 1

        head = f"out.{stage}" if split else "out"
        out = config["split_embed_dim_list"][stage] if split else config["out_channels"]
        weight, bias = self.param(f"{head}.0.weight", width), self.param(f"{head}.0.bias", width)
        return self.conv(f"{head}.2", F.silu(F.group_norm(hidden, 32, weight, bias)), out)


def stages(config):
    """Return the stages of a model, coarsest first."""
    return range(len(config.get("split_embed_dim_list", [0])))


def shapes(config):
    """Return the names of a model with tensors on the meta device."""
    official = OfficialUNet(config, make=lambda name, shape: torch.empty(shape, device="meta"))
    size = 2 ** len(config["channel_mult"])
    with torch.device("meta"):
        context = torch.empty(1, 2, config["context_dim"]) if config.get("context_dim") else None
        y = torch.zeros(1, dtype=torch.long) if config.get("num_classes") is not None else None
        for stage in stages(config):
            official(
                torch.empty(1, config["in_channels"], size, size), torch.zeros(1), context=context, y=y, stage=stage
            )
    return official.weights
