"""DPM-Solver++ with 20 steps per scale against DDIM with 200, on one trained model of procedural scenes.

    python benchmarks/few_steps.py RUN_DIR              # quality, six seeds, then time; two hours on two CPU cores
    python benchmarks/few_steps.py RUN_DIR --only time

Both arms draw the same held-out scenes from the same noise (`seed` of sampling), with the run's guidance and averaged
weights; eta is 0. The margins are fixed beforehand: judge recall within 0.02, FID within 5 %, at least 8 times faster.
Time is that of `generate`, with the decoder, on one batch, arms alternating, median over pairs.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

from frido.cli import pictures
from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.session import Session

ARMS = {
    "ddim, 200 steps": ["diffusion/sampler=ddim", "diffusion.sampler.steps=200"],
    "dpm_solver_pp, 20 steps": ["diffusion/sampler=dpm_solver_pp", "diffusion.sampler.steps=20"],
}
BATCH = 64


def quality(session: Session, task: Any, *, images: int, seeds: range) -> dict[str, list[dict[str, float]]]:
    """Return the numbers of every seed and arm, over the first `images` scenes of the test split."""
    evaluation = build(session.config["metrics"])
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for seed in seeds:
        for arm, overrides in ARMS.items():
            session.config["seed"] = seed
            session.config["diffusion"]["sampler"] = compose("run", overrides)["diffusion"]["sampler"]
            numbers = evaluation.run(
                (
                    pictures.to_uint8(batch.pixels),
                    pictures.to_uint8(session.generate(task, batch)),
                    [session.shown("test", row) for row in batch.positions.tolist()],
                )
                for batch in session.in_order("test", batch=BATCH, count=images)
            ).numbers
            found[arm].append(numbers)
            print(f"seed {seed}, {arm}: {json.dumps(numbers)}", file=sys.stderr, flush=True)
    return found


def seconds(session: Session, task: Any, *, pairs: int) -> dict[str, list[float]]:
    """Return the time of drawing one batch, arms in turn."""
    batch = next(session.in_order("test", batch=BATCH, count=BATCH))
    found: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for pair in range(pairs + 1):
        for arm, overrides in ARMS.items():
            session.config["diffusion"]["sampler"] = compose("run", overrides)["diffusion"]["sampler"]
            start = time.perf_counter()
            session.generate(task, batch)
            if pair:  # the first warms up
                found[arm].append(time.perf_counter() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", type=int, default=384)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 6), metavar=("FIRST", "END"))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--only", choices=["quality", "time"])
    arguments = parser.parse_args()
    slow, fast = ARMS
    with Session.open(arguments.run) as session:
        task = session.trained_task()
        print(f"{arguments.run}, {os.cpu_count()} cores, {torch.get_num_threads()} threads\n")
        if arguments.only != "time":
            found = quality(session, task, images=arguments.images, seeds=range(*arguments.seeds))
            print("| number | " + " | ".join(ARMS) + " | difference | its standard error |")
            print("|---" * (len(ARMS) + 3) + "|")
            for name in found[slow][0]:
                one, other = ([row[name] for row in found[arm]] for arm in (slow, fast))
                differences = [b - a for a, b in zip(one, other, strict=True)]
                spread = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
                means = [statistics.mean(values) for values in (one, other, differences)]
                print(f"| {name} | {means[0]:.4f} | {means[1]:.4f} | {means[2]:+.4f} | {spread:.4f} |")
        if arguments.only != "quality":
            times = seconds(session, task, pairs=arguments.pairs)
            ratios = [a / b for a, b in zip(times[slow], times[fast], strict=True)]
            medians = ", ".join(f"{arm}: {statistics.median(values):.2f} s" for arm, values in times.items())
            print(f"\none batch of {BATCH}: {medians}")
            print(f"times faster: {statistics.median(ratios):.2f} (range {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
