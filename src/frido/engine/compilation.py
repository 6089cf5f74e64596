"""A denoiser compiled, whole or block by block. Names in its `state_dict` stay as they are."""

import torch

from frido.contracts.denoiser import Denoiser


def compile_whole(denoiser: Denoiser) -> None:
    """Make one graph of the denoiser for each scale, in training and in sampling, with and without guidance."""
    _allow_graphs(8 * len(denoiser.channels))
    denoiser.compile(dynamic=False)


def compile_blocks(denoiser: Denoiser) -> None:
    """Compile each of the denoiser's blocks; those of equal shapes share a graph, so that depth costs no time.

    What lies between the blocks runs as it is written.
    """
    blocks = denoiser.blocks()
    _allow_graphs(8 * len(denoiser.channels) * len(blocks))
    for block in blocks:
        block.compile(dynamic=False)


COMPILED = {"none": lambda denoiser: None, "whole": compile_whole, "blocks": compile_blocks}
"""By the value of `hardware.compile`."""


def _allow_graphs(count: int) -> None:
    """Let one piece of code have so many graphs; beyond that, torch would run it uncompiled without a word."""
    torch._dynamo.config.recompile_limit = count
    torch._dynamo.config.accumulated_recompile_limit = max(count, torch._dynamo.config.accumulated_recompile_limit)
