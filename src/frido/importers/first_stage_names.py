"""Names in official first stages, and ours.

Orders are settled here alone. Official heads of an MS-VQGAN and levels of any decoder are listed finest first; what
else is per scale is listed coarsest first. Ours all run from where the computation starts: heads coarsest first,
decoder levels lowest resolution first. The official MS-VQGAN stacks quantised maps finest first before
`post_quant_conv`, ours coarsest first before `mix`.
"""

import torch
from torch import Tensor

from frido.importers.first_stage import FirstStage, Trunk
from frido.importers.translate import DROP, Changes, Drop

KEEP = ("scale_factors", "calibrated")
"""Ours alone: official code keeps them in the diffusion model."""

Names = dict[str, str | Drop]


def table(stage: FirstStage) -> Names:
    """Return official names to ours.

    Losses (discriminator, LPIPS, a never trained `logvar`) and averaged weights of the first stage are dropped:
    official code does not use them to encode or decode.
    """
    names: Names = {"loss.*": DROP, "model_ema.*": DROP, "encoder.conv_in.{p}": "encoder.conv_in.{p}"}
    names |= _level("encoder.down.{level}", "encoder.levels.{level}")
    names["encoder.down.{level}.downsample.conv.{p}"] = "encoder.downsamples.{level}.conv.{p}"
    names |= _decoder("decoder", "decoder", stage.decoder)
    names["post_quant_conv.{p}"] = "mix.{p}"
    if stage.family == "MS-VQGAN":
        return names | _several_scales(stage)
    names |= _middle("encoder.mid", "encoder.heads.0")
    names |= {"encoder.norm_out.{p}": "encoder.heads.0.norm.{p}", "encoder.conv_out.{p}": "encoder.heads.0.conv.{p}"}
    if stage.family == "AutoencoderKL":
        return names | {"quant_conv.{p}": "project.{p}"}
    return names | {"quant_conv.{p}": "project.0.{p}", "quantize.embedding.weight": "quantizers.0.codebook"}


def changes(stage: FirstStage) -> Changes:
    """Return the one deliberate change: the official decoder reads the finest scale first, ours the coarsest."""

    def coarsest_first(weight: Tensor) -> Tensor:
        return torch.cat(weight.split(stage.channels, dim=1)[::-1], dim=1)

    return {"mix.weight": coarsest_first} if len(stage.factors) > 1 else {}


def _several_scales(stage: FirstStage) -> Names:
    names: Names = {
        "ms_quantize.{scale}.embedding.weight": "quantizers.{scale}.codebook",
        "ms_quant_conv.{scale}.{p}": "project.{scale}.{p}",
        "upsample.{scale}.{p}": "lifts.{scale}.upsample.{p}",
        "shared_post_quant_conv.{scale}.{p}": "lifts.{scale}.mix.{p}",
    }
    count = len(stage.factors)
    for scale in range(count):
        theirs, ours = count - 1 - scale, f"encoder.heads.{scale}"
        names |= _middle(f"encoder.mid_ms.{theirs}", ours)
        names[f"encoder.norm_out_ms.{theirs}.{{p}}"] = f"{ours}.norm.{{p}}"
        names[f"encoder.conv_out_ms.{theirs}.{{p}}"] = f"{ours}.conv.{{p}}"
    if stage.fusion:
        names |= _decoder("shared_decoder.{scale}", "fusions.{scale}", stage.fusion)
    return names


def _decoder(theirs: str, ours: str, trunk: Trunk) -> Names:
    names: Names = {
        f"{theirs}.conv_in.{{p}}": f"{ours}.conv_in.{{p}}",
        **_middle(f"{theirs}.mid", ours),
        f"{theirs}.norm_out.{{p}}": f"{ours}.norm.{{p}}",
        f"{theirs}.conv_out.{{p}}": f"{ours}.conv_out.{{p}}",
    }
    levels = len(trunk.multipliers)
    for index in range(levels):
        names |= _level(f"{theirs}.up.{levels - 1 - index}", f"{ours}.levels.{index}")
        names[f"{theirs}.up.{levels - 1 - index}.upsample.conv.{{p}}"] = f"{ours}.upsamples.{index}.conv.{{p}}"
    return names


def _level(theirs: str, ours: str) -> Names:
    return _block(f"{theirs}.block.{{i}}", f"{ours}.blocks.{{i}}") | _attention(
        f"{theirs}.attn.{{i}}", f"{ours}.attention.{{i}}"
    )


def _middle(theirs: str, ours: str) -> Names:
    return (
        _block(f"{theirs}.block_1", f"{ours}.block_in")
        | _attention(f"{theirs}.attn_1", f"{ours}.attention")
        | _block(f"{theirs}.block_2", f"{ours}.block_out")
    )


def _block(theirs: str, ours: str) -> Names:
    parts = {
        "norm1": "norm_in",
        "conv1": "conv_in",
        "norm2": "norm_out",
        "conv2": "conv_out",
        "nin_shortcut": "shortcut",
    }
    return {f"{theirs}.{old}.{{p}}": f"{ours}.{new}.{{p}}" for old, new in parts.items()}


def _attention(theirs: str, ours: str) -> Names:
    parts = {"norm": "norm", "q": "query", "k": "key", "v": "value", "proj_out": "out"}
    return {f"{theirs}.{old}.{{p}}": f"{ours}.{new}.{{p}}" for old, new in parts.items()}
