"""Settings that are right alone and wrong together, refused before hours are spent on them."""

from collections.abc import Mapping
from typing import Any

from frido.contracts.errors import FridoError


def check_together(config: Mapping[str, Any]) -> None:
    """Refuse combinations of parts that cannot work; `config` has passed the schema."""
    _guidance_needs_dropout(config)
    _batches_split_over_devices(config)
    _lists_have_a_number_per_scale(config)
    _quotas_fill_micro_batches(config)
    _a_denoiser_is_trained_or_converted(config)


def _guidance_needs_dropout(config: Mapping[str, Any]) -> None:
    weight, dropout = config["diffusion"]["guidance"].get("weight", 1), config["task"].get("condition_dropout")
    presses = any(number != 1 for number in (weight if isinstance(weight, list) else [weight]))
    if presses and dropout == 0:
        raise FridoError(
            "diffusion.guidance.weight",
            got=f"{weight} with task.condition_dropout={dropout}",
            wanted="a model that also learns the empty condition, which guidance starts from",
            do="task.condition_dropout=0.1, or diffusion.guidance.weight=1",
        )


def _batches_split_over_devices(config: Mapping[str, Any]) -> None:
    devices = _processes(config)
    for stage, dial in (("autoencoder", "autoencoder_batch"), ("denoiser", "batch")):
        batch = config["training"][stage].get("batch", devices)
        if batch % devices:
            raise FridoError(
                f"training.{stage}.batch",
                got=f"{batch} on {devices} devices",
                wanted="a multiple of hardware.devices (times hardware.nodes): every device takes an equal share",
                do=f"size.{dial}={-(-batch // devices) * devices}",
            )


def _processes(config: Mapping[str, Any]) -> int:
    return config["hardware"]["devices"] * config["hardware"]["nodes"]


def _lists_have_a_number_per_scale(config: Mapping[str, Any]) -> None:
    factors = config["autoencoder"].get("factors")
    for path in ("task.scale_weights", "task.scales.quotas", "diffusion.sampler.steps", "diffusion.guidance.weight"):
        node: Any = config
        for name in path.split("."):
            node = node.get(name) if isinstance(node, Mapping) else None
        if isinstance(node, list) and factors is not None and len(node) != len(factors):
            raise FridoError(
                path,
                got=f"{node}, {len(node)} numbers",
                wanted=f"{len(factors)} numbers: one per scale of autoencoder.factors={factors}, coarsest first",
                do=f"{path}=[{','.join(str(value) for value in (node * len(factors))[: len(factors)])}]",
            )


def _quotas_fill_micro_batches(config: Mapping[str, Any]) -> None:
    quotas = config["task"].get("scales", {}).get("quotas")
    if quotas is None:
        return
    devices, training = _processes(config), config["training"]["denoiser"]
    share, cycle = training["batch"] // devices, max(1, sum(quotas))
    micro = training["micro_batch"] or share
    if micro % cycle:
        fitting = [size for size in range(cycle, share + 1, cycle) if share % size == 0 and size <= max(micro, cycle)]
        raise FridoError(
            "task.scales.quotas",
            got=f"{quotas}, a cycle of {cycle} images, with {micro} images at a time on each of {devices} devices",
            wanted="whole cycles at a time, so that every device trains every scale in every step",
            do=f"training.denoiser.micro_batch={fitting[-1]}"
            if fitting
            else f"size.batch={-(-share // cycle) * cycle * devices}",
        )


def _a_denoiser_is_trained_or_converted(config: Mapping[str, Any]) -> None:
    """A converted run has weights of both stages, and nothing to train."""
    if config["training"]["denoiser"].get("images") == 0 and config["first_stage"].get("weights") is None:
        raise FridoError(
            "size.images",
            got=0,
            wanted="images to train the denoiser on: only runs of python -m frido.convert need none",
            do="size.images=30720",
        )
