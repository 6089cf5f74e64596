"""The official YAML of a first stage, held against what the weights say."""

from collections.abc import Mapping
from typing import Any

from frido.contracts.errors import FridoError
from frido.importers.first_stage import FirstStage, Trunk

UNSUPPORTED: Mapping[str, Any] = {"tanh_out": False, "give_pre_end": False, "resamp_with_conv": True}
"""Official switches that leave no trace in weights and that we know at one position only."""


def check(stage: FirstStage, config: Mapping[str, Any]) -> None:
    """Refuse settings that are not those of the weights.

    Args:
        stage: Read off the weights.
        config: The official `params`: `embed_dim`, `n_embed`, `ddconfig`, and `edconfig` with several scales.

    Raises:
        FridoError: One differs, or asks for something that we have not; it is named.
    """
    several, scales = stage.family == "MS-VQGAN", len(stage.factors)
    n_embed = list(stage.num_codes) if several else stage.num_codes[0] if stage.num_codes else None
    _same("embed_dim", config.get("embed_dim"), [stage.channels] * scales if several else stage.channels)
    _same("n_embed", config.get("n_embed"), n_embed)
    if several:
        given = _section(config, "edconfig")
        _same("edconfig.multiscale", given.get("multiscale", scales), scales)
        _same("edconfig.z_channels", given.get("z_channels"), [stage.feature_channels] * scales)
    encoder = "edconfig" if several else "ddconfig"
    _check_trunk(encoder, _section(config, encoder), stage.encoder, blocks=stage.encoder.num_blocks)
    _same(f"{encoder}.ch", _section(config, encoder).get("ch"), stage.encoder.width)
    given = _section(config, "ddconfig")
    _check_trunk("ddconfig", given, stage.decoder, blocks=stage.decoder.num_blocks - 1)
    _same("ddconfig.z_channels", given.get("z_channels"), stage.feature_channels * scales)
    double_z = stage.family == "AutoencoderKL"
    _same("ddconfig.double_z", given.get("double_z", double_z), double_z)


def _check_trunk(name: str, given: Mapping[str, Any], trunk: Trunk, *, blocks: int) -> None:
    widths = [trunk.width * multiplier for multiplier in trunk.multipliers]
    _same(f"{name}.ch_mult (times ch)", [given.get("ch", 0) * mult for mult in given.get("ch_mult", [])], widths)
    _same(f"{name}.num_res_blocks", given.get("num_res_blocks"), blocks)
    _same(f"{name}.attn_type (not none)", given.get("attn_type", "vanilla") != "none", trunk.middle_attention)
    resolutions = [given.get("resolution", 0) // 2**level for level in range(len(widths))]
    wanted = [resolutions[level] for level in trunk.attention_levels]
    attending = given.get("attn_resolutions", []) if trunk.middle_attention else []
    # The official list may name resolutions that the network does not have.
    _same(f"{name}.attn_resolutions", [size for size in resolutions if size in attending], wanted)
    for key, only in UNSUPPORTED.items():
        _same(f"{name}.{key}", given.get(key, only), only, says="the networks here have")


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    _same(name, "a mapping" if isinstance(section, Mapping) else section, "a mapping", says="official files have")
    return section or {}


def _same(key: str, given: Any, wanted: Any, *, says: str = "the weights have") -> None:
    if (list(given) if isinstance(given, tuple) else given) != wanted:
        raise FridoError(
            f"config: {key}",
            got="nothing" if given is None else given,
            wanted=f"{wanted}: {says} this",
            do="give the YAML that the checkpoint was trained with, or leave out config=",
        )
