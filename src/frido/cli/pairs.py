"""Settings that are right alone and wrong together, refused before hours are spent on them."""

from collections.abc import Mapping
from typing import Any

from frido.contracts.errors import FridoError


def check_together(config: Mapping[str, Any]) -> None:
    """Refuse combinations of parts that cannot work; `config` has passed the schema."""
    _guidance_needs_dropout(config)
    _batches_split_over_devices(config)


def _guidance_needs_dropout(config: Mapping[str, Any]) -> None:
    weight, dropout = config["diffusion"]["guidance"].get("weight", 1), config["task"].get("condition_dropout")
    if weight != 1 and dropout == 0:
        raise FridoError(
            "diffusion.guidance.weight",
            got=f"{weight} with task.condition_dropout={dropout}",
            wanted="a model that also learns the empty condition, which guidance starts from",
            do="task.condition_dropout=0.1, or diffusion.guidance.weight=1",
        )


def _batches_split_over_devices(config: Mapping[str, Any]) -> None:
    devices = config["hardware"]["devices"]
    for stage, dial in (("autoencoder", "autoencoder_batch"), ("denoiser", "batch")):
        batch = config["training"][stage].get("batch", devices)
        if batch % devices:
            raise FridoError(
                f"training.{stage}.batch",
                got=f"{batch} on {devices} devices",
                wanted="a multiple of hardware.devices: every device takes an equal share",
                do=f"size.{dial}={-(-batch // devices) * devices}",
            )
