"""The released MS-VQGANs of Frido: names, orders, and the model that an official config describes."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from frido.autoencoders.decoders.conv import ConvDecoder
from frido.autoencoders.encoders.conv import ConvEncoder
from frido.autoencoders.msvqgan import MSVQGAN
from frido.autoencoders.quantizers.vq import VectorQuantizer
from frido.contracts.errors import FridoError
from frido.importers.translate import DROP, Changes, Drop

KEEP = ("scale_factors",)
"""Ours alone: Frido keeps them in the diffusion model's file."""


def table(*, num_scales: int, levels: int, decoder_levels: int) -> dict[str, str | Drop]:
    """Return official names to ours.

    Official encoder heads are listed finest first, everything else that is per scale coarsest first; official decoder
    levels are listed finest first. Ours all run from where the computation starts: heads coarsest first, decoder
    levels lowest resolution first.

    Args:
        num_scales: Of latents.
        levels: Of the encoder (`len(edconfig.ch_mult)`).
        decoder_levels: Of the image decoder (`len(ddconfig.ch_mult)`).
    """
    names: dict[str, str | Drop] = {"loss.*": DROP, "encoder.conv_in.{p}": "encoder.conv_in.{p}"}
    for level in range(levels):
        names |= _blocks(f"encoder.down.{level}.block.{{i}}", f"encoder.levels.{level}.blocks.{{i}}")
        names |= _attention(f"encoder.down.{level}.attn.{{i}}", f"encoder.levels.{level}.attention.{{i}}")
        names[f"encoder.down.{level}.downsample.conv.{{p}}"] = f"encoder.downsamples.{level}.conv.{{p}}"
    for scale in range(num_scales):
        theirs, ours = num_scales - 1 - scale, f"encoder.heads.{scale}"
        names |= _blocks(f"encoder.mid_ms.{theirs}.block_1", f"{ours}.block_in")
        names |= _attention(f"encoder.mid_ms.{theirs}.attn_1", f"{ours}.attention")
        names |= _blocks(f"encoder.mid_ms.{theirs}.block_2", f"{ours}.block_out")
        names[f"encoder.norm_out_ms.{theirs}.{{p}}"] = f"{ours}.norm.{{p}}"
        names[f"encoder.conv_out_ms.{theirs}.{{p}}"] = f"{ours}.conv.{{p}}"
    names |= _decoder("decoder", "decoder", levels=decoder_levels)
    for scale in range(num_scales - 1):
        names |= _decoder(f"shared_decoder.{scale}", f"fusions.{scale}", levels=1)
    return names | {
        "ms_quantize.{scale}.embedding.weight": "quantizers.{scale}.codebook",
        "ms_quant_conv.{scale}.{p}": "project.{scale}.{p}",
        "post_quant_conv.{p}": "mix.{p}",
        "upsample.{scale}.{p}": "lifts.{scale}.upsample.{p}",
        "shared_post_quant_conv.{scale}.{p}": "lifts.{scale}.mix.{p}",
    }


def changes(*, channels: int) -> Changes:
    """Return the one deliberate change: the official decoder reads the finest scale first, ours the coarsest.

    Args:
        channels: Latent channels per scale.
    """

    def coarsest_first(weight: Tensor) -> Tensor:
        return torch.cat(weight.split(channels, dim=1)[::-1], dim=1)

    return {"mix.weight": coarsest_first}


def model(config: dict[str, Any], *, legacy: bool = True, fusion_width: int = 128) -> MSVQGAN:
    """Return an untrained model with the architecture of an official config.

    Args:
        config: The official `params`: `embed_dim`, `n_embed`, `edconfig`, `ddconfig`.
        legacy: Where the loss has its weight, see `VectorQuantizer`.
        fusion_width: The official code knows only 128.
    """
    encoder, decoder = config["edconfig"], config["ddconfig"]
    widths = {*config["embed_dim"], *encoder["z_channels"]}
    sizes = set(config["n_embed"])
    if len(widths) > 1 or len(sizes) > 1 or decoder["z_channels"] != sum(config["embed_dim"]):
        raise FridoError(
            "an official MS-VQGAN config",
            got=f"embed_dim {config['embed_dim']}, n_embed {config['n_embed']}, "
            f"z_channels {encoder['z_channels']} and {decoder['z_channels']}",
            wanted="the same channels and codes at every scale, and their sum in the decoder",
            do="use a model trained with the released code, which knows no other",
        )
    return MSVQGAN(
        num_scales=len(config["embed_dim"]),
        channels=widths.pop(),
        encoder=partial(
            ConvEncoder,
            width=encoder["ch"],
            multipliers=list(encoder["ch_mult"]),
            num_blocks=encoder["num_res_blocks"],
            attention_factors=_factors(encoder),
        ),
        decoder=partial(
            ConvDecoder,
            width=decoder["ch"],
            multipliers=list(decoder["ch_mult"]),
            num_blocks=decoder["num_res_blocks"] + 1,
            attention_factors=_factors(decoder),
        ),
        fusion=partial(ConvDecoder, width=fusion_width, multipliers=[1], num_blocks=3, attention_factors=[]),
        quantizer=partial(
            VectorQuantizer, num_codes=sizes.pop(), commitment=config.get("quant_beta", 0.25), legacy=legacy
        ),
        seed=0,
    )


def _factors(settings: dict[str, Any]) -> list[int]:
    """Turn resolutions with attention into distances from the image."""
    return [settings["resolution"] // resolution for resolution in settings["attn_resolutions"]]


def _blocks(theirs: str, ours: str) -> dict[str, str | Drop]:
    parts = {
        "norm1": "norm_in",
        "conv1": "conv_in",
        "norm2": "norm_out",
        "conv2": "conv_out",
        "nin_shortcut": "shortcut",
    }
    return {f"{theirs}.{old}.{{p}}": f"{ours}.{new}.{{p}}" for old, new in parts.items()}


def _attention(theirs: str, ours: str) -> dict[str, str | Drop]:
    parts = {"norm": "norm", "q": "query", "k": "key", "v": "value", "proj_out": "out"}
    return {f"{theirs}.{old}.{{p}}": f"{ours}.{new}.{{p}}" for old, new in parts.items()}


def _decoder(theirs: str, ours: str, *, levels: int) -> dict[str, str | Drop]:
    names: dict[str, str | Drop] = {
        f"{theirs}.conv_in.{{p}}": f"{ours}.conv_in.{{p}}",
        **_blocks(f"{theirs}.mid.block_1", f"{ours}.block_in"),
        **_attention(f"{theirs}.mid.attn_1", f"{ours}.attention"),
        **_blocks(f"{theirs}.mid.block_2", f"{ours}.block_out"),
        f"{theirs}.norm_out.{{p}}": f"{ours}.norm.{{p}}",
        f"{theirs}.conv_out.{{p}}": f"{ours}.conv_out.{{p}}",
    }
    for index in range(levels):
        old, new = f"{theirs}.up.{levels - 1 - index}", f"{ours}.levels.{index}"
        names |= _blocks(f"{old}.block.{{i}}", f"{new}.blocks.{{i}}")
        names |= _attention(f"{old}.attn.{{i}}", f"{new}.attention.{{i}}")
        names[f"{old}.upsample.conv.{{p}}"] = f"{ours}.upsamples.{index}.conv.{{p}}"
    return names
