"""One training step of MS-VQGAN f16f8 at 256 px, batch 1, as we do it and as the official code does it.

    python benchmarks/first_stage_step.py            # prints a table; about 12 minutes on two CPU cores

The official code decodes three times in every step: all scales, and each of the two scales alone, whose images no loss
uses. Its layers compute what ours do, in other steps (`official`): swish as a product of two maps, all of which are
kept for the backward pass; nearest neighbours written out before a convolution; maps in NCHW order; Adam in torch's
default loops, not fused. Everything else is the same in all arms: weights, images, L1 and codebook losses, the
discriminator with its adaptive weight; the perceptual term is off. Each measurement is a process of its own (one step
to warm up, then `STEPS`), so that its peak memory is its own; arms alternate, and a ratio is the median over pairs.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

STEPS = 2
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
ARMS: dict[str, dict[str, Any]] = {
    "official way, fp32": {"decodes": 3, "layers": "official", "precision": "fp32"},
    "ours but three decodes, fp32": {"decodes": 3, "layers": "ours", "precision": "fp32"},
    "ours, fp32": {"decodes": 1, "layers": "ours", "precision": "fp32"},
    "ours, bf16": {"decodes": 1, "layers": "ours", "precision": "bf16"},
}


def official() -> None:
    """Let the layers compute as the official ones."""
    import torch
    import torch.nn.functional as F

    from frido.autoencoders.decoders import conv as decoder
    from frido.autoencoders.encoders import conv as encoder
    from frido.nn.resample import Upsample

    def swish(features: torch.Tensor) -> torch.Tensor:
        return features * torch.sigmoid(features)

    def upsample(self: Upsample, features: torch.Tensor) -> torch.Tensor:
        return self.conv(F.interpolate(features, scale_factor=2.0, mode="nearest"))

    vars(encoder)["fast_layout"] = vars(decoder)["fast_layout"] = torch.Tensor.contiguous
    F.silu = swish  # type: ignore[assignment]
    Upsample.forward = upsample  # type: ignore[method-assign]


def measure(*, decodes: int, layers: str, precision: str) -> dict[str, float]:
    """Return seconds per step and peak memory in GiB of this process."""
    import torch

    from frido.cli.build import build
    from frido.cli.compose import compose

    config = compose("run", ["size=paper", "autoencoder=msvqgan_f16f8", "autoencoder/loss=adversarial"])
    torch.manual_seed(0)
    autoencoder = build(config["autoencoder"])
    loss = build({**config["first_stage"]["loss"], "start_images": 0})
    discriminator = loss.opponent
    adam = config["training"]["autoencoder"]["optimizer"]
    if layers == "official":
        official()
        adam = {**adam, "fused": False}
    players = [build(adam)(list(module.parameters())) for module in (autoencoder, discriminator)]
    images = torch.rand(1, 3, 256, 256) * 2 - 1
    positions = torch.arange(1)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")

    def step() -> None:
        for player in players:
            player.zero_grad(set_to_none=True)
        discriminator.requires_grad_(False)
        with autocast:
            made = autoencoder(images)
            unused = [made.alone(scale) for scale in range(decodes - 1)]
            losses = loss(made, images, positions=positions, last_layer=autoencoder.last_layer)
        losses["loss"].backward()
        del unused
        players[0].step()
        discriminator.requires_grad_(True)
        with autocast:
            answer = discriminator(made.images.detach(), images)
        answer["loss"].backward()
        players[1].step()

    step()
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    seconds = (time.perf_counter() - start) / STEPS
    return {"seconds": seconds, "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--arm", choices=ARMS, help="measure one arm in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.arm:
        print(json.dumps(measure(**ARMS[arguments.arm])))
        return
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for pair in range(arguments.pairs):
        for arm in ARMS:
            command = [sys.executable, __file__, "--arm", arm]
            answer = subprocess.run(command, env=os.environ | ALLOCATOR, stdout=subprocess.PIPE, check=True, text=True)
            found[arm].append(json.loads(answer.stdout.splitlines()[-1]))
            print(f"pair {pair + 1} of {arguments.pairs}, {arm}: {found[arm][-1]}", file=sys.stderr, flush=True)
    official = found["official way, fp32"]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {arguments.pairs} pairs\n")
    print("| arm | s per step | times faster, median | range | peak memory, GiB | share of the official way's |")
    print("|---|---|---|---|---|---|")
    for arm, rows in found.items():
        faster = [theirs["seconds"] / ours["seconds"] for theirs, ours in zip(official, rows, strict=True)]
        seconds, memory = (statistics.median(row[key] for row in rows) for key in ("seconds", "gib"))
        share = memory / statistics.median(row["gib"] for row in official)
        spread = f"{min(faster):.2f} to {max(faster):.2f}"
        print(f"| {arm} | {seconds:.2f} | {statistics.median(faster):.2f} | {spread} | {memory:.2f} | {share:.2f} |")


if __name__ == "__main__":
    main()
