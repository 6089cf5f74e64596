"""Official U-Nets of Frido and LDM: their names, their settings."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from frido.contracts.errors import FridoError
from frido.importers.translate import DROP, Changes, Drop, Table

Config = Mapping[str, Any]
"""Official `unet_config.params`."""

UNSUPPORTED = {
    "use_mscond": False,
    "use_pos_embed": False,
    "n_embed": None,
    "dims": 2,
    "conv_resample": True,
    "use_fp16": False,
}
"""Official switches that our U-Net knows at one position only."""


def is_pyramid(config: Config) -> bool:
    """Return whether the configuration is of Frido's PyU-Net, not of LDM's U-Net."""
    return bool(config.get("use_split_head", False))


def check(config: Config) -> None:
    """Refuse official settings that no `PyUNet` can follow.

    Raises:
        FridoError: There are some.
    """
    odd = [f"{name}={config[name]}" for name, only in UNSUPPORTED.items() if config.get(name, only) != only]
    if config.get("num_stage", 1) > 1 and not is_pyramid(config):
        odd.append("use_split_head=False with several stages")
    if _heads(config, up=False) != _heads(config, up=True):
        odd.append("other heads going up than going down")
    if config.get("num_classes") is not None and is_pyramid(config) and not config.get("use_embed"):
        odd.append(f"num_classes={config['num_classes']} without use_embed")
    if odd:
        raise FridoError(
            "an official U-Net's settings",
            got=", ".join(odd),
            wanted="the settings of the released Frido and latent-diffusion models",
            do="use one of these",
        )


def _heads(config: Config, *, up: bool) -> tuple[int | None, int | None]:
    """Return `(num_heads, head_channels)`, one of them `None`, as the official code ends up with."""
    count, channels = config.get("num_heads", -1), config.get("num_head_channels", -1)
    legacy_frido = config.get("legacy", True) and is_pyramid(config)
    if config.get("use_spatial_transformer"):
        if legacy_frido:
            return 1, None  # `legacy` overrules what is asked for
        return (None, channels) if channels != -1 else (count, None)
    if channels != -1:
        return None, channels
    above = config.get("num_heads_upsample", -1)
    if up:
        return (count if above == -1 else above), None
    return (1 if legacy_frido else count), None


def node(config: Config) -> dict[str, Any]:
    """Return the configuration node of our U-Net with the architecture of an official one, as plain data.

    Run-time arguments (`widths`) are not in it.

    Raises:
        FridoError: It asks for something that `PyUNet` has not.
    """
    check(config)
    num_heads, head_channels = _heads(config, up=False)
    heads = {"num_heads": num_heads, "head_channels": head_channels, "_partial_": True}
    if config.get("use_spatial_transformer"):
        attention = {
            "_target_": "frido.nn.spatial_transformer.SpatialTransformer",
            **heads,
            "depth": config.get("transformer_depth", 1),
            "dropout": 0.0,
        }
    else:
        attention = {"_target_": "frido.nn.attention_block.AttentionBlock", **heads}
    gate = {"_target_": "frido.denoisers.gates.concat.ConcatGate", "init": 1.0}
    if config.get("use_SPADE_norm"):
        gate = {"_target_": "frido.denoisers.gates.spade.SpadeGate", "hidden": 128, "init": 1.0}
    trunk = "per_scale.PerScaleTrunk" if config.get("use_stage_expert") else "shared.SharedTrunk"
    injection = "ScaleShiftEmbedding" if config.get("use_scale_shift_norm") else "AddEmbedding"
    resampling = "residual.ResidualResampling" if config.get("resblock_updown") else "conv.ConvResampling"
    factors = list(config["attention_resolutions"])
    return {
        "_target_": "frido.denoisers.pyunet.PyUNet",
        "_partial_": True,
        "width": config["model_channels"],
        "multipliers": list(config["channel_mult"]),
        "num_res_blocks": config["num_res_blocks"],
        "attention_factors": factors,
        "coarse_attention_factors": factors,
        "groups": 32,
        "dropout": float(config.get("dropout", 0.0)),
        "checkpointing": False,
        "trunk": {"_target_": f"frido.denoisers.trunks.{trunk}"},
        "gate": gate,
        "attention": attention,
        "injection": {"_target_": f"frido.nn.unet_resblock.{injection}", "_partial_": True},
        "resampling": {"_target_": f"frido.denoisers.resampling.{resampling}"},
    }


def channels(config: Config) -> list[int]:
    """Return the latent channels of each scale, coarsest first."""
    return list(config["split_embed_dim_list"]) if is_pyramid(config) else [config["out_channels"]]


def map_channels(config: Config) -> int:
    """Return how many channels are concatenated to the noisy latent as a condition."""
    return 0 if is_pyramid(config) else config["in_channels"] - config["out_channels"]


def table(config: Config) -> Table:
    """Return official names (without `model.diffusion_model.`) to names in `PyUNet`."""
    found: dict[str, str | Drop] = {
        "time_embed.0.{p}": "time_embedding.first.{p}",
        "time_embed.2.{p}": "time_embedding.second.{p}",
        "stage_emb.{p}": "scale_embedding.{p}",
        "label_emb.{p}": "pooled.{p}",
    }
    if is_pyramid(config):
        found |= {
            "pre_input_blocks.{scale}.0.{p}": "inputs.{scale}.{p}",
            "pre_input_cond_blocks.{scale}.0.{p}": "coarse_inputs.{scale}.{p}",
            "out.{scale}.{i}.{p}": "outputs.{scale}.{i}.{p}",
        }
    else:
        found |= {"input_blocks.0.0.{p}": "inputs.0.{p}", "out.{i}.{p}": "outputs.0.{i}.{p}"}
    single = len(channels(config)) == 1
    experts = range(len(channels(config))) if config.get("use_stage_expert") else [None]
    for expert in experts:
        for theirs, ours in _trunk(config, expert):
            # official gates are built even where no stage is coarser, and never used there
            found[theirs] = DROP if single and ".gate." in ours else ours
    return found


def changes(config: Config) -> Changes:
    """Return the alterations that official weights need: other orders of channels, and tables for linear maps."""
    altered: dict[str, Callable[[Tensor], Tensor]] = {}
    if config.get("num_classes") is not None:
        altered["pooled.weight"] = lambda table: table.T.contiguous()
    if condition := map_channels(config):
        # theirs: the noisy latent first, then the condition
        altered["inputs.0.weight"] = lambda weight: weight.roll(condition, dims=1)
    if not config.get("use_spatial_transformer") and not config.get("use_new_attention_order", False):

        def ordered(tensor: Tensor, width: int) -> Tensor:
            # theirs: queries, keys and values inside each head; ours: heads inside each of the three
            heads = _heads(config, up=False)
            count = heads[0] or width // (heads[1] or width)
            parts = tensor.view(count, 3, width // count, *tensor.shape[1:])
            return parts.transpose(0, 1).reshape(tensor.shape)

        for part in ("weight", "bias"):
            altered["trunk.{path}.{slot}.{own}.attention.queries_keys_values." + part] = lambda tensor: ordered(
                tensor, len(tensor) // 3
            )
    return altered


def _trunk(config: Config, expert: int | None) -> Iterator[tuple[str, str]]:
    """Yield the names of one trunk, walking through it as both codes build theirs."""
    suffix, own = ("", 0) if expert is None else (f"_expert.{expert}", expert)
    factors, blocks = config["attention_resolutions"], config["num_res_blocks"]
    levels = len(config["channel_mult"])
    shift = 0 if is_pyramid(config) else 1  # LDM's first input block is the input convolution

    slots = itertools.count()
    for level in range(levels):
        for _ in range(blocks):
            slot = next(slots)
            theirs, ours = f"input_blocks{suffix}.{slot + shift}", f"trunk.down.{slot}.{own}"
            yield from _residual(f"{theirs}.0", f"{ours}.residual")
            if 2**level in factors:
                yield from _attention(f"{theirs}.1", f"{ours}.attention")
        if level < levels - 1:
            slot = next(slots)
            theirs, ours = f"input_blocks{suffix}.{slot + shift}.0", f"trunk.down.{slot}.{own}.resample"
            yield from _residual(theirs, ours) if config.get("resblock_updown") else _conv(f"{theirs}.op", ours)

    yield from _residual(f"middle_block{suffix}.0", f"trunk.middle.0.{own}.residual")
    yield from _attention(f"middle_block{suffix}.1", f"trunk.middle.0.{own}.attention")
    yield from _residual(f"middle_block{suffix}.2", f"trunk.middle.1.{own}.residual")

    slots = itertools.count()
    for level in reversed(range(levels)):
        for index in range(blocks + 1):
            slot = next(slots)
            theirs, ours = f"output_blocks{suffix}.{slot}", f"trunk.up.{slot}.{own}"
            yield from _residual(f"{theirs}.0", f"{ours}.residual")
            attends = 2**level in factors
            if attends:
                yield from _attention(f"{theirs}.1", f"{ours}.attention")
            if level and index == blocks:
                last, ours = f"{theirs}.{1 + attends}", f"{ours}.resample"
                yield from _residual(last, ours) if config.get("resblock_updown") else _conv(f"{last}.conv", ours)


def _conv(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    yield f"{theirs}.{{p}}", f"{ours}.conv.{{p}}"


def _norm(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    yield f"{theirs}.param_free_norm.{{p}}", f"{ours}.norm.{{p}}"
    yield f"{theirs}.mlp_shared.0.{{p}}", f"{ours}.gate.shared.{{p}}"
    yield f"{theirs}.mlp_gamma.{{p}}", f"{ours}.gate.scale.{{p}}"
    yield f"{theirs}.mlp_beta.{{p}}", f"{ours}.gate.shift.{{p}}"
    yield f"{theirs}.{{p}}", f"{ours}.norm.{{p}}"


def _residual(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    yield from _norm(f"{theirs}.in_layers.0", f"{ours}.norm_in")
    yield f"{theirs}.in_layers.2.{{p}}", f"{ours}.conv_in.{{p}}"
    yield f"{theirs}.emb_layers.1.{{p}}", f"{ours}.embedding.linear.{{p}}"
    yield from _norm(f"{theirs}.out_layers.0", f"{ours}.norm_out")
    yield f"{theirs}.out_layers.3.{{p}}", f"{ours}.conv_out.{{p}}"
    yield f"{theirs}.skip_connection.{{p}}", f"{ours}.skip.{{p}}"


def _attention(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    """Yield the names of a spatial transformer and of an attention block; they have none in common but the norm's."""
    yield from _norm(f"{theirs}.norm", f"{ours}.norm")
    yield f"{theirs}.qkv.{{p}}", f"{ours}.queries_keys_values.{{p}}"
    yield f"{theirs}.proj_in.{{p}}", f"{ours}.project_in.{{p}}"
    yield f"{theirs}.proj_out.{{p}}", f"{ours}.project_out.{{p}}"
    layer, own = f"{theirs}.transformer_blocks.{{depth}}", f"{ours}.layers.{{depth}}"
    for attention, name in (("attn1", "self_attention"), ("attn2", "cross_attention")):
        for part, ours_part in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "output")):
            yield f"{layer}.{attention}.{part}.{{p}}", f"{own}.{name}.{ours_part}.{{p}}"
    for number, norm in enumerate(("self_norm", "cross_norm", "forward_norm"), start=1):
        yield f"{layer}.norm{number}.{{p}}", f"{own}.{norm}.{{p}}"
    yield f"{layer}.ff.net.0.proj.{{p}}", f"{own}.feed_forward.inner.{{p}}"
    yield f"{layer}.ff.net.2.{{p}}", f"{own}.feed_forward.outer.{{p}}"
