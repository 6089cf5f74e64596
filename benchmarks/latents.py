"""Training the denoiser from cached latents against encoding each image in every step: by FLOPs, and as measured.

    python benchmarks/latents.py flops       # f16f8 at paper size, counted without values; seconds
    python benchmarks/latents.py measured    # size small, procedural scenes of 128 px; about 4 minutes on two CPU cores

Only the denoiser trains, in the native layout. `flops` counts the forward and backward pass of the denoiser (both
scales, 77 tokens of 640 channels) and, for the other arm, the encoder's forward pass on top: 2 for a multiplication and
addition, on tensors without values. Reading and decoding images, the optimizer and the averages are not in it.

`measured` makes a run directory with a first stage that has hardly trained (its time does not depend on that) and
trains in it with the engine's own loop, from the streams of a real run: `LatentStream`, and images of the loader with
`Encoded` around it. Both train on the same positions in batches of `BATCH`, with averages and log, from shards and
tables in a warm page cache. Every measurement is a process of its own with the same allocator thresholds; arms
alternate, a ratio is the median over pairs.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
PAPER = ("size=paper", "autoencoder=msvqgan_f16f8", "denoiser=pyunet_f16f8")
TOKENS = (77, 640)
BATCH, WARM_UP = 32, 2
SMALL = (
    "size=small",
    f"size.batch={BATCH}",
    "size.scenes=512",
    "data.source.val=8",
    "data.source.test=8",
    "size.autoencoder_images=128",
    "size.autoencoder_batch=32",
    "metrics=none",
    "tracking=files",
)
ARMS = ("encoded in every step", "cached latents")


def flops() -> None:
    """Print GFLOPs per image of both arms, and their ratio."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from frido.cli.build import build
    from frido.cli.compose import compose
    from frido.contracts.context import Context, ContextWidths

    config = compose("run", [*PAPER, "diffusion/layout=native"])
    side, layout = config["size"]["resolution"], build(config["diffusion"]["layout"])
    with FakeTensorMode():
        autoencoder = build(config["autoencoder"])
        denoiser = build(
            config["denoiser"],
            channels=autoencoder.channels,
            context=ContextWidths(tokens=TOKENS[1], map=0, pooled=0),
            tells_level=False,
        )
        images, context = torch.empty(1, 3, side, side), Context(tokens=torch.empty(1, *TOKENS))
        with torch.no_grad(), FlopCounterMode(display=False) as of_encoder:
            pyramid = autoencoder.eval().encode(images)
        shapes = [tuple(latent.shape[1:]) for latent in pyramid]
        latents = layout.arrange(pyramid)
        # Fused attention computes its scores again in the backward pass; that is no useful work.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as of_denoiser:
            for scale, noisy in enumerate(latents):
                coarse = layout.coarse(latents[:scale], own=shapes)
                condition = denoiser.condition(scale=scale, coarse=coarse, context=context)
                denoiser(noisy, torch.empty(1), condition).sum().backward()
    encoder, trained = (counter.get_total_flops() / 1e9 for counter in (of_encoder, of_denoiser))
    print("| per image | GFLOPs |\n|---|---|")
    print(f"| denoiser, forward and backward | {trained:.1f} |\n| encoder, forward | {encoder:.1f} |")
    print(f"\nencoded in every step over cached: {(trained + encoder) / trained:.2f}")


class Marked:
    """A `Stream` that notes when it is asked."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.marks = stream, []

    def at(self, images_seen: int) -> Any:
        self.marks.append(time.perf_counter())
        return self.stream.at(images_seen)


def train(directory: Path, arm: str, steps: int) -> dict[str, float]:
    """Train the denoiser of a run directory for some steps; return images per second, stream and step together."""
    import torch

    from frido.cli.build import build
    from frido.cli.latent_stream import Encoded, latent_stream
    from frido.cli.session import Session
    from frido.engine.trainer import Trainer
    from frido.tracking.jsonl import JsonlTracker

    with Session.open(directory) as session, tempfile.TemporaryDirectory() as out:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        task, seed = session.new_task(), session.config["seed"]
        stream: Any = latent_stream(session, task, batch=BATCH)
        if arm == "encoded in every step":
            stream = Encoded(session.stream(batch=BATCH, seed=seed), session=session, view=task.view)
        marked = Marked(stream)
        budget = {"images": BATCH * (WARM_UP + steps + 1), "checkpoint_every_images": 10**9}
        never = {"picture_every_images": None, "snapshot_every_images": None}
        Trainer(
            directory=Path(out),
            phases=task.phases(),
            model=task,
            stream=marked,
            training=build(session.config["training"]["denoiser"] | budget | never),
            tracker=JsonlTracker(directory=Path(out)),
            device=session.device,
            max_loss=0,
            profile_steps=0,
        ).run()
    seconds = [after - before for before, after in pairwise(marked.marks)][WARM_UP:]
    return {"images_per_second": BATCH * len(seconds) / sum(seconds), "step": statistics.median(seconds)}


def prepared(root: Path) -> Path:
    """Return a run directory below `root` that has a first stage and its latents."""
    command = [sys.executable, "-m", "frido.run", *SMALL, f"run.root={root}", "stages=[data,autoencoder,latents]"]
    subprocess.run(command, check=True, stdout=sys.stderr, env=os.environ | ALLOCATOR)
    (config,) = root.glob("main/*/config.yaml")
    return config.parent


def measured(pairs: int, steps: int, threads: int) -> None:
    """Print images per second of both arms, and their ratio."""
    found: dict[str, list[float]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as root:
        directory = prepared(Path(root))
        for pair in range(pairs):
            for arm in ARMS:
                command = [sys.executable, __file__, "measured", "--steps", str(steps), "--arm", arm, str(directory)]
                common = os.environ | ALLOCATOR | {"OMP_NUM_THREADS": str(threads)}
                answer = subprocess.run(command, env=common, stdout=subprocess.PIPE, check=True, text=True)
                told = json.loads(answer.stdout.splitlines()[-1])
                found[arm].append(told["images_per_second"])
                print(f"pair {pair + 1} of {pairs}, {arm}: {told}", file=sys.stderr, flush=True)
    encoded, cached = found.values()
    faster = [b / a for a, b in zip(encoded, cached, strict=True)]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {threads} threads, batch {BATCH}\n")
    print("| arm | images/s | times faster, median (range) |\n|---|---|---|")
    print(f"| {ARMS[0]} | {statistics.median(encoded):.1f} | |")
    spread = f"{statistics.median(faster):.2f} ({min(faster):.2f} to {max(faster):.2f})"
    print(f"| {ARMS[1]} | {statistics.median(cached):.1f} | {spread} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["flops", "measured"])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="measured in each process")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--arm", nargs=2, metavar=("ARM", "RUN_DIR"), help="measure one arm in this process, print JSON"
    )
    asked = parser.parse_args()
    if asked.what == "flops":
        flops()
    elif asked.arm:
        print(json.dumps(train(Path(asked.arm[1]), asked.arm[0], asked.steps)))
    else:
        measured(asked.pairs, asked.steps, asked.threads)


if __name__ == "__main__":
    main()
