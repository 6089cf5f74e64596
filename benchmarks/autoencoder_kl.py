"""Encoding and decoding with our kl-f8 beside diffusers' `AutoencoderKL` of the same architecture, 256 px, fp32.

    pip install "frido[benchmarks]"
    MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=4294967296 python benchmarks/autoencoder_kl.py

Both run in one process, in turn; a ratio is the median over pairs. Allocator thresholds are set outside, for both.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

import torch

from frido.cli.build import build
from frido.cli.compose import compose


def theirs() -> torch.nn.Module:
    from diffusers import AutoencoderKL

    widths = (128, 256, 512, 512)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=32,
        sample_size=256,
    ).eval()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    ours = build(compose("run", ["autoencoder=kl_f8"])["autoencoder"]).eval()
    other = theirs()
    counts = [sum(parameter.numel() for parameter in model.parameters()) for model in (ours, other)]
    assert counts[0] == counts[1], f"{counts[0]} parameters against {counts[1]}"
    images, latents = torch.rand(1, 3, 256, 256) * 2 - 1, torch.randn(1, 4, 32, 32)
    works = {
        "encode": (lambda: ours.encode(images), lambda: other.encode(images).latent_dist.mode()),
        "decode": (lambda: ours.decode((latents,)), lambda: other.decode(latents).sample),
    }
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {counts[0]:,} parameters each\n")
    print("| | ours, s | diffusers, s | our speed over theirs, median | range |")
    print("|---|---|---|---|---|")
    for name, (own, their) in works.items():
        own(), their()
        rows = []
        for pair in range(pairs):  # who goes first alternates too
            first, second = (own, their) if pair % 2 else (their, own)
            timed = seconds(first), seconds(second)
            rows.append(timed if pair % 2 else timed[::-1])
        ratios = [b / a for a, b in rows]
        a, b = (statistics.median(column) for column in zip(*rows, strict=True))
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"| {name} | {a:.3f} | {b:.3f} | {statistics.median(ratios):.3f} | {spread} |")


if __name__ == "__main__":
    main()
