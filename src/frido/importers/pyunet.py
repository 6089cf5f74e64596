"""Official Frido U-Nets: their names, their settings."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from frido.contracts.errors import FridoError
from frido.denoisers.gates.none import NoGate
from frido.denoisers.gates.spade import SpadeGate
from frido.denoisers.pyunet import PyUNet
from frido.denoisers.trunks.per_scale import PerScaleTrunk
from frido.denoisers.trunks.shared import SharedTrunk
from frido.importers.translate import Table


def _block(theirs: str, ours: str) -> dict[str, str]:
    """Return the table of one residual block with an optional transformer or upsampling behind it."""
    norms = {
        f"{theirs}.0.in_layers.0": f"{ours}.residual.norm_in",
        f"{theirs}.0.out_layers.0": f"{ours}.residual.norm_out",
        f"{theirs}.1.norm": f"{ours}.transformer.norm",
    }
    table: dict[str, str] = {}
    for official, own in norms.items():
        table |= {
            f"{official}.param_free_norm.{{p}}": f"{own}.norm.{{p}}",
            f"{official}.mlp_shared.0.{{p}}": f"{own}.gate.shared.{{p}}",
            f"{official}.mlp_gamma.{{p}}": f"{own}.gate.scale.{{p}}",
            f"{official}.mlp_beta.{{p}}": f"{own}.gate.shift.{{p}}",
            f"{official}.{{p}}": f"{own}.norm.{{p}}",
        }
    layer, own_layer = f"{theirs}.1.transformer_blocks.{{depth}}", f"{ours}.transformer.layers.{{depth}}"
    attentions = {"attn1": "self_attention", "attn2": "cross_attention"}
    for official, own in attentions.items():
        table |= {
            f"{layer}.{official}.to_q.{{p}}": f"{own_layer}.{own}.query.{{p}}",
            f"{layer}.{official}.to_k.{{p}}": f"{own_layer}.{own}.key.{{p}}",
            f"{layer}.{official}.to_v.{{p}}": f"{own_layer}.{own}.value.{{p}}",
            f"{layer}.{official}.to_out.0.{{p}}": f"{own_layer}.{own}.output.{{p}}",
        }
    return table | {
        f"{theirs}.0.in_layers.2.{{p}}": f"{ours}.residual.conv_in.{{p}}",
        f"{theirs}.0.emb_layers.1.{{p}}": f"{ours}.residual.embedding.{{p}}",
        f"{theirs}.0.out_layers.3.{{p}}": f"{ours}.residual.conv_out.{{p}}",
        f"{theirs}.0.skip_connection.{{p}}": f"{ours}.residual.skip.{{p}}",
        f"{theirs}.1.proj_in.{{p}}": f"{ours}.transformer.project_in.{{p}}",
        f"{theirs}.1.proj_out.{{p}}": f"{ours}.transformer.project_out.{{p}}",
        f"{layer}.norm1.{{p}}": f"{own_layer}.self_norm.{{p}}",
        f"{layer}.norm2.{{p}}": f"{own_layer}.cross_norm.{{p}}",
        f"{layer}.norm3.{{p}}": f"{own_layer}.forward_norm.{{p}}",
        f"{layer}.ff.net.0.proj.{{p}}": f"{own_layer}.feed_forward.inner.{{p}}",
        f"{layer}.ff.net.2.{{p}}": f"{own_layer}.feed_forward.outer.{{p}}",
        f"{theirs}.{{last}}.conv.{{p}}": f"{ours}.upsample.conv.{{p}}",
    }


def _trunk(suffix: str, ours: str) -> dict[str, str]:
    """Return the table of one trunk; `suffix` is what follows `input_blocks` and its like."""
    return {
        f"input_blocks{suffix}.{{i}}.0.op.{{p}}": f"{ours}.down.{{i}}.conv.{{p}}",
        **_block(f"input_blocks{suffix}.{{i}}", f"{ours}.down.{{i}}"),
        # the official middle is a flat list: residual, transformer, residual
        **{
            name.replace(f"middle_block{suffix}.0.", f"middle_block{suffix}.2."): own
            for name, own in _block(f"middle_block{suffix}", f"{ours}.middle.1").items()
            if f"middle_block{suffix}.0." in name
        },
        **{
            name: own
            for name, own in _block(f"middle_block{suffix}", f"{ours}.middle.0").items()
            if "{last}" not in name
        },
        **_block(f"output_blocks{suffix}.{{i}}", f"{ours}.up.{{i}}"),
    }


TABLE: Table = {
    "time_embed.0.{p}": "time_embedding.first.{p}",
    "time_embed.2.{p}": "time_embedding.second.{p}",
    "stage_emb.{p}": "scale_embedding.{p}",
    "pre_input_blocks.{scale}.0.{p}": "inputs.{scale}.{p}",
    "pre_input_cond_blocks.{scale}.0.{p}": "coarse_inputs.{scale}.{p}",
    "out.{scale}.{i}.{p}": "outputs.{scale}.{i}.{p}",
    **_trunk("", "trunk.unets.0"),
    **_trunk("_expert.{scale}", "trunk.unets.{scale}"),
}
"""Names in the official state dict of a PyU-Net (without `model.diffusion_model.`) to names in `PyUNet`."""

UNSUPPORTED = {
    "use_scale_shift_norm": False,
    "resblock_updown": False,
    "use_spatial_transformer": True,
    "use_split_head": True,
    "use_mscond": False,
    "use_pos_embed": False,
    "predict_codebook_ids": False,
    "dims": 2,
    "conv_resample": True,
}
"""Official switches that `PyUNet` knows at one position only."""


def unsupported(config: Mapping[str, Any]) -> list[str]:
    """Return the official settings that no `PyUNet` can follow, as `name=value`."""
    return [f"{name}={config[name]}" for name, only in UNSUPPORTED.items() if config.get(name, only) != only]


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return constructor arguments of `PyUNet` for an official configuration, but for `trunk` and `gate`.

    Those two follow from `use_stage_expert` and `use_SPADE_norm` (hidden width 128).
    """
    return {
        "channels": list(config["split_embed_dim_list"]),
        "context_width": config["context_dim"],
        "width": config["model_channels"],
        "multipliers": list(config["channel_mult"]),
        "num_res_blocks": config["num_res_blocks"],
        "attention_factors": list(config["attention_resolutions"]),
        "coarse_attention_factors": list(config["attention_resolutions"]),
        "transformer_depth": config.get("transformer_depth", 1),
        # under `legacy`, the default, official heads are overruled: one of all channels
        "head_channels": None if config.get("legacy", True) else config["num_head_channels"],
        "groups": 32,
        "dropout": config.get("dropout", 0.0),
    }


def model(config: Mapping[str, Any]) -> PyUNet:
    """Return an untrained `PyUNet` with the architecture of an official `unet_config.params`.

    Raises:
        FridoError: It asks for something that `PyUNet` has not.
    """
    if pending := unsupported(config):
        raise FridoError(
            "an official PyU-Net config",
            got=", ".join(pending),
            wanted="the settings of the released Frido models",
            do="Use one of these.",
        )
    gate = partial(SpadeGate, hidden=128) if config.get("use_SPADE_norm") else NoGate
    trunk = PerScaleTrunk if config.get("use_stage_expert") else SharedTrunk
    return PyUNet(**settings(config), gate=gate, trunk=trunk)
