"""Official checkpoints of whole diffusion models (Frido, LDM): the parts in them, by prefix."""

from collections.abc import Mapping

from torch import Tensor

from frido.contracts.errors import FridoError
from frido.importers import schedules

DENOISER = "model.diffusion_model."
AVERAGES = "model_ema."
FIRST_STAGE = "first_stage_model."
CONDITION = "cond_stage_model."

DROPPED = ("model_ema.decay", "model_ema.num_updates", "logvar", "lvlb_weights")
"""Counters of the average, and weights of a bound that no released model is trained on."""
KNOWN = {*schedules.BUFFERS, *DROPPED, "scale_factor"}


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def strangers(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names that belong to no part."""
    prefixes = (DENOISER, AVERAGES, FIRST_STAGE, CONDITION)
    return [name for name in tensors if not name.startswith(prefixes) and name not in KNOWN]


def averaged(tensors: Mapping[str, Tensor], *, source: str) -> dict[str, Tensor]:
    """Return the averaged tensors of the denoiser under the names of those that were trained.

    They are kept under these names without the dots, so only a list of the names can bring the dots back.

    Raises:
        FridoError: There are none, or not exactly one for each.
    """
    names = {f"diffusion_model.{name}".replace(".", ""): name for name in part(tensors, DENOISER)}
    found = {name: tensor for name, tensor in part(tensors, AVERAGES).items() if f"{AVERAGES}{name}" not in DROPPED}
    if not found:
        raise FridoError(
            f"weights=ema of {source}",
            got=f"no tensor named {AVERAGES}*",
            wanted="averaged weights: they are what samples are drawn with",
            do="weights=raw takes the weights as they were last trained",
        )
    missing, extra = names.keys() - found.keys(), found.keys() - names.keys()
    if missing or extra:
        told = [f"no average of {names[name]}" for name in sorted(missing)] + [f"{AVERAGES}{n}" for n in sorted(extra)]
        raise FridoError(
            f"weights=ema of {source}",
            got=f"{len(missing)} missing, {len(extra)} unmatched: {', '.join(told[:8])}",
            wanted=f"one average for each of the {len(names)} tensors of {DENOISER}*",
            do="check that the file is whole, or take weights=raw",
        )
    return {names[name]: tensor for name, tensor in found.items()}
