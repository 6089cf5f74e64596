"""A recipe at a small size: a few steps of every stage that trains, and otherwise as it is."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TRAINED = ("autoencoder", "denoiser")

HALF = 4
"""Steps up to the interruption, and as many after it. The lines of the log are 3 steps apart, so that the interruption
falls between two of them; a discriminator joins after 2."""
MICRO_BATCH, MICRO_BATCHES = 4, 2
SCENES = {"train": 128, "val": 16, "test": 16}
WATCHED, SAMPLER_STEPS = 16, 2
"""All of these are the most; what a recipe asks less of stays as it is."""


def shortened(config: Mapping[str, Any], *, root: Path, tracking: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with small budgets, and with what counts in images where it falls into them.

    Hardware, models, optimizers, averages, precision, order and seeds stay. So do accumulation (two micro-batches
    stand for many) and what was switched off: pictures, snapshots, a stage with nothing to train.

    Args:
        config: Resolved and checked.
        root: Where to run it.
        tracking: Takes the place of the recipe's own.
    """
    short = copy.deepcopy(dict(config))
    second = short["training"]["denoiser"]["images"] > 0
    stages = ["data", "autoencoder", *(["latents", "denoiser"] if second else [])]
    short |= {"stages": stages, "tracking": dict(tracking), "run": {"root": str(root), "fresh": False}}
    short["engine"] = {**short["engine"], "dry_run": False, "profile_steps": 0}
    ranks = short["hardware"]["devices"] * short["hardware"]["nodes"]
    cycle = max(1, sum(short["task"].get("scales", {}).get("quotas") or []))
    for stage in TRAINED:
        _shorten(short["training"][stage], ranks, cycle=cycle if stage == "denoiser" else 1)
    joins = HALF // 2 * short["training"]["autoencoder"]["batch"]
    for node in _holding("start_images", short["first_stage"]):
        node["start_images"] = min(node["start_images"], joins)
    for node in _holding("train", short["data"]):
        node |= {split: min(node[split], most) for split, most in SCENES.items() if split in node}
    for node in _holding("steps", short["diffusion"]["sampler"]):
        steps = node["steps"]
        few = [min(one, SAMPLER_STEPS) for one in steps] if isinstance(steps, list) else min(steps, SAMPLER_STEPS)
        node["steps"] = few
    short["size"]["watched"] = min(short["size"]["watched"], WATCHED)
    return short


def half(training: Mapping[str, Any]) -> int:
    """Return the images seen at the interruption of a shortened training."""
    return int(training["images"]) // 2


def _shorten(training: dict[str, Any], ranks: int, *, cycle: int) -> None:
    """Make budgets small; a micro-batch stays a multiple of `cycle` images."""
    share = max(1, training["batch"] // ranks)
    micro = min(training["micro_batch"] or share, -(-MICRO_BATCH // cycle) * cycle)
    parts = min(share // (training["micro_batch"] or share), MICRO_BATCHES)
    batch = training["batch"] = ranks * micro * max(1, parts)
    training["micro_batch"] = None if training["micro_batch"] is None else micro
    training["images"] = 2 * HALF * batch if training["images"] else 0
    every = {
        "log_every_images": HALF - 1,
        "checkpoint_every_images": HALF,
        "picture_every_images": HALF,
        "snapshot_every_images": HALF // 2,
    }
    training |= {name: steps * batch for name, steps in every.items() if training[name] is not None}
    for node in _holding("warmup_images", training):
        node["warmup_images"] = min(node["warmup_images"], HALF // 2 * batch)


def _holding(key: str, value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping inside of `value` that has a value for `key`."""
    if isinstance(value, dict) and value.get(key) is not None:
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in list(inner):
        yield from _holding(key, one)
