"""The second stage as its configuration describes it, with initial weights."""

from collections.abc import Mapping
from typing import Any

from frido.cli.build import build
from frido.contracts.context import ContextWidths
from frido.contracts.scene import Vocabulary

PARTS = ("schedule", "parameterization", "teacher_forcing", "layout")
"""Of the mathematics of diffusion, what a task is built with."""


def build_task(config: Mapping[str, Any], *, autoencoder: Any, vocabulary: Vocabulary) -> Any:
    """Return the task of a resolved configuration, for the latents of an autoencoder and the words of a dataset."""
    conditioner = build(config["conditioning"], vocabulary=vocabulary)
    parts = {part: build(config["diffusion"][part]) for part in PARTS}
    view = build_view(config, autoencoder=autoencoder, vocabulary=vocabulary)
    denoiser = build(
        config["denoiser"],
        channels=autoencoder.channels,
        context=ContextWidths(tokens=conditioner.width, map=view.channels, pooled=conditioner.pooled_width),
        tells_level=parts["teacher_forcing"].tells_level,
    )
    return build(config["task"], conditioner=conditioner, view=view, denoiser=denoiser, **parts)


def build_view(config: Mapping[str, Any], *, autoencoder: Any, vocabulary: Vocabulary) -> Any:
    """Return what the denoiser is shown of images."""
    finest = {"latent_channels": autoencoder.channels[-1], "factor": autoencoder.factors[-1]}
    return build(config["view"], vocabulary=vocabulary, **finest)
