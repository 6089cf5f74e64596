"""Official first stages (Frido's MS-VQGAN, VQGAN, LDM's VQ and KL), told apart and measured by their weights alone.

All are made of one encoder and one decoder design (Esser et al., 2021), so names and shapes say everything but the
weight of the commitment, which is that of the official code.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from frido.contracts.errors import FridoError

Weights = Mapping[str, Tensor]
Family = Literal["MS-VQGAN", "VQGAN", "AutoencoderKL"]
MARKS: dict[Family, str] = {
    "MS-VQGAN": "ms_quantize.0.embedding.weight",
    "VQGAN": "quantize.embedding.weight",
    "AutoencoderKL": "quant_conv.weight",
}
"""A tensor that tells a family from those after it."""

COMMITMENT = 0.25
"""In the official code, with the weight on the pull of the codes (`legacy`)."""

KL_WEIGHT = 1e-6
"""Of all released KL models; in the configuration of the loss, not in the weights."""

RELEASED = "use a model trained with the released code and settings like the released ones"


@dataclass(frozen=True)
class Trunk:
    """One official encoder or decoder. Levels are listed finest first, as there.

    Args:
        in_channels: Of its first convolution.
        out_channels: Of its last convolution.
        width: Channels of the first level, before its multiplier.
        multipliers: Channels of every level in units of `width`.
        num_blocks: Residual blocks per level.
        attention_levels: Levels whose blocks are followed by attention.
        middle_attention: Whether the lowest resolution (each head, with several) attends besides.
    """

    in_channels: int
    out_channels: int
    width: int
    multipliers: tuple[int, ...]
    num_blocks: int
    attention_levels: tuple[int, ...]
    middle_attention: bool

    def settings(self) -> dict[str, Any]:
        """Return what our encoder and decoder have in common."""
        return {
            "width": self.width,
            "multipliers": list(self.multipliers),
            "num_blocks": self.num_blocks,
            "attention_factors": [2**level for level in self.attention_levels],
        }


@dataclass(frozen=True)
class FirstStage:
    """The architecture of one checkpoint.

    Args:
        family: Of models.
        channels: Latent channels of every scale (`embed_dim`).
        feature_channels: Of the encoder's maps, and per scale of the decoder's input (`z_channels`).
        num_codes: Per scale, coarsest first; empty without codebooks.
        encoder: Image to features.
        decoder: Quantised maps to the image.
        fusion: Joins scales; the official code builds the same for every finer scale.
    """

    family: Family
    channels: int
    feature_channels: int
    num_codes: tuple[int, ...]
    encoder: Trunk
    decoder: Trunk
    fusion: Trunk | None

    @property
    def factors(self) -> list[int]:
        """Coarsest first: one for each of the last levels of the encoder."""
        coarsest = len(self.encoder.multipliers) - 1
        return [2 ** (coarsest - scale) for scale in range(len(self.num_codes) or 1)]


def weights_in(tensors: Weights) -> dict[str, Tensor]:
    """Return the tensors of the first stage in a checkpoint, under the names that it gives them when it is alone.

    A diffusion checkpoint keeps it under `first_stage_model.`, and sometimes once more as conditioning.
    """
    anchor = "encoder.conv_in.weight"
    prefixes = {name.removesuffix(anchor) for name in tensors if name.endswith(anchor)}
    prefix = min(prefixes, key=lambda prefix: (prefix != "first_stage_model.", len(prefix)), default="")
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def scale_factors(tensors: Weights, settings: Mapping[str, Any], *, scales: int) -> Tensor | None:
    """Return what the diffusion model of a checkpoint multiplies latents with, coarsest first; `None` without one.

    Args:
        tensors: Of the whole checkpoint; the buffer `scale_factor` was measured in training.
        settings: Official `params`; a `scale_factor` in them was chosen, and is in no buffer.
        scales: Of the first stage.

    Raises:
        FridoError: It was measured and is not there, or is that of another number of scales.
    """
    if "scale_factor" in tensors:
        found = tensors["scale_factor"].float().flatten()
    elif settings.get("scale_by_std"):
        raise FridoError(
            "scale_factor in the checkpoint",
            got="no such tensor, where the YAML says scale_by_std",
            wanted="what was measured in training: it is not measured again",
            do="check that the file is whole",
        )
    elif "scale_factor" in settings or any(name.startswith("model.diffusion_model.") for name in tensors):
        found = torch.tensor([float(settings.get("scale_factor", 1.0))])
    else:
        return None
    if len(found) not in (1, scales):
        raise FridoError(
            "scale_factor in the checkpoint",
            got=f"{len(found)} numbers",
            wanted=f"one, or one for each of {scales} scales",
            do="check that the checkpoint's diffusion model belongs to its first stage",
        )
    return found.expand(scales).clone()


def read(weights: Weights) -> FirstStage:
    """Return the architecture of `weights`.

    Raises:
        FridoError: They are of no family that we know, or of one of its models that we cannot build.
    """
    family = next((family for family, mark in MARKS.items() if mark in weights), None)
    if family is None or (family == "AutoencoderKL" and any(name.startswith("quantize.") for name in weights)):
        raise FridoError(
            "the first stage in the checkpoint",
            got=f"tensors named {', '.join(sorted({name.partition('.')[0] for name in weights})[:8]) or 'nothing'}",
            wanted="an MS-VQGAN of Frido, a VQGAN of taming-transformers, or a VQ or KL model of latent-diffusion",
            do="give the checkpoint of one of these, or of a diffusion model that holds one",
        )
    several = family == "MS-VQGAN"
    books = [f"ms_quantize.{scale}" for scale in _indices(weights, "ms_quantize")] if several else ["quantize"]
    shapes = [_shape(weights, f"{book}.embedding.weight") for book in books] if family != "AutoencoderKL" else []
    head = "encoder.mid_ms.0" if several else "encoder.mid"
    conv_out = "encoder.conv_out_ms.0" if several else "encoder.conv_out"
    stage = FirstStage(
        family=family,
        channels=shapes[0][1] if shapes else _shape(weights, "post_quant_conv.weight")[1],
        feature_channels=_shape(weights, "decoder.conv_in.weight")[1] // (len(shapes) or 1),
        num_codes=tuple(codes for codes, _ in shapes),
        encoder=_trunk(weights, "encoder", levels="down", conv_out=conv_out, middle=head),
        decoder=_trunk(weights, "decoder", levels="up", conv_out="decoder.conv_out", middle="decoder.mid"),
        fusion=(
            _trunk(
                weights,
                "shared_decoder.0",
                levels="up",
                conv_out="shared_decoder.0.conv_out",
                middle="shared_decoder.0.mid",
            )
            if len(books) > 1
            else None
        ),
    )
    _check(stage, widths=[width for _, width in shapes])
    return stage


def node(stage: FirstStage, *, commitment: float) -> dict[str, Any]:
    """Return the configuration node of our autoencoder with this architecture, as plain data.

    Args:
        stage: From `read`.
        commitment: Weight of the lighter pull in the codebook loss; nothing to a family without codebooks.
    """
    encoder = {
        "_target_": "frido.autoencoders.encoders.conv.ConvEncoder",
        "_partial_": True,
        **stage.encoder.settings(),
        "head_attention": stage.encoder.middle_attention,
    }
    shared = {"factors": stage.factors, "channels": stage.channels, "feature_channels": stage.feature_channels}
    if stage.family == "AutoencoderKL":
        return {
            "_target_": "frido.autoencoders.kl.AutoencoderKL",
            **shared,
            "encoder": encoder,
            "decoder": _decoder(stage.decoder),
            "kl_weight": KL_WEIGHT,
            "seed": 0,
        }
    quantizers = [
        {
            "_target_": "frido.autoencoders.quantizers.vq.VectorQuantizer",
            "_partial_": True,
            "num_codes": num_codes,
            "commitment": commitment,
            "legacy": True,
        }
        for num_codes in stage.num_codes
    ]
    return {
        "_target_": "frido.autoencoders.msvqgan.MSVQGAN",
        **shared,
        "encoder": encoder,
        "decoder": _decoder(stage.decoder),
        "fusion": _decoder(stage.fusion or UNUSED_FUSION),
        "quantizer": quantizers[0] if len(set(stage.num_codes)) == 1 else quantizers,
        "seed": 0,
    }


UNUSED_FUSION = Trunk(
    in_channels=0,
    out_channels=0,
    width=128,
    multipliers=(1,),
    num_blocks=3,
    attention_levels=(),
    middle_attention=True,
)
"""The official one, named where a single scale leaves nothing to fuse."""


def _decoder(trunk: Trunk) -> dict[str, Any]:
    return {
        "_target_": "frido.autoencoders.decoders.conv.ConvDecoder",
        "_partial_": True,
        **trunk.settings(),
        "middle_attention": trunk.middle_attention,
    }


def _trunk(weights: Weights, name: str, *, levels: str, conv_out: str, middle: str) -> Trunk:
    """Measure an encoder (`levels` are named "down") or a decoder ("up")."""
    first, last = _shape(weights, f"{name}.conv_in.weight"), _shape(weights, f"{conv_out}.weight")
    indices = _indices(weights, f"{name}.{levels}")
    widths = [_shape(weights, f"{name}.{levels}.{level}.block.0.conv1.weight")[0] for level in indices]
    # A decoder's first convolution is as wide as its lowest resolution; its unit is only known up to a factor.
    width = first[0] if levels == "down" else math.gcd(*widths)
    if not widths or any(other % width for other in widths):
        raise FridoError(
            f"the {name} in the checkpoint",
            got=f"levels of {widths} channels after a convolution of {first[0]}",
            wanted="levels that are whole multiples of it (ch_mult)",
            do=RELEASED,
        )
    return Trunk(
        in_channels=first[1],
        out_channels=last[0],
        width=width,
        multipliers=tuple(other // width for other in widths),
        num_blocks=len(_indices(weights, f"{name}.{levels}.0.block")),
        attention_levels=tuple(level for level in indices if _indices(weights, f"{name}.{levels}.{level}.attn")),
        middle_attention=f"{middle}.attn_1.q.weight" in weights,
    )


def _check(stage: FirstStage, *, widths: list[int]) -> None:
    """Refuse what the official code could describe and we cannot build."""
    encoder, decoder, finest = stage.encoder, stage.decoder, stage.factors[-1]
    from_encoder = stage.feature_channels * (2 if stage.family == "AutoencoderKL" else 1)
    decoded_from = 2 ** (len(decoder.multipliers) - 1)
    rules = (
        (f"codes of {widths} channels", "the same at every scale", len(set(widths)) <= 1),
        (f"images of {encoder.in_channels} channels", "3 channels", encoder.in_channels == 3),
        (f"reconstructions of {decoder.out_channels} channels", "3 channels", decoder.out_channels == 3),
        (f"{encoder.out_channels} channels from the encoder", f"{from_encoder}", encoder.out_channels == from_encoder),
        (f"a decoder from f{decoded_from}", f"from the finest grid, f{finest}", decoded_from == finest),
    )
    for got, wanted, holds in rules:
        if not holds:
            raise FridoError(f"the {stage.family} in the checkpoint", got=got, wanted=wanted, do=RELEASED)


def _indices(weights: Weights, stem: str) -> list[int]:
    """Return the numbers that follow `stem.` in the names."""
    start = f"{stem}."
    found = {name.removeprefix(start).partition(".")[0] for name in weights if name.startswith(start)}
    return sorted(int(index) for index in found if index.isdecimal())


def _shape(weights: Weights, name: str) -> tuple[int, ...]:
    if name not in weights:
        raise FridoError(
            "the first stage in the checkpoint",
            got=f"no tensor {name}",
            wanted="all tensors of the model",
            do="check that the file is whole and not only a part of the model",
        )
    return tuple(weights[name].shape)
