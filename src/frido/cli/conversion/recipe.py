"""The configuration around a converted model: what its checkpoint decides, and what may be asked for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frido.cli.compose import compose
from frido.cli.conversion.conditions import Condition
from frido.cli.suggest import key_and_value
from frido.contracts.errors import FridoError

STAGES = "stages=[data,autoencoder,sample,evaluate,report]"
UNTRAINED = "size.autoencoder_images"
FIRST_STAGE = ("autoencoder", "first_stage.weights")
SECOND_STAGE = (
    "denoiser",
    "conditioning",
    "view",
    "size.images",
    "averages@training.denoiser",
    *(f"diffusion.{part}" for part in ("schedule", "parameterization", "teacher_forcing", "layout")),
)
"""What a checkpoint of a first stage, and of a diffusion model besides, says of a run."""

OF_FILES = ("conditioning.tokenizer.file",)
"""What it cannot say of that."""


def check_free(overrides: Iterable[str], taken: Sequence[str]) -> None:
    """Refuse overrides of what the checkpoint decides.

    Raises:
        FridoError: There is one.
    """
    for override in overrides:
        key = _key(override)
        within = any(key == place or key.startswith(f"{place}.") for place in taken)
        if within and key not in (*OF_FILES, "conditioning") and not key.startswith("autoencoder.loss"):
            raise FridoError(
                f"the argument {override}",
                got=override,
                wanted="settings of all but what the checkpoint describes",
                do=f"leave out {override}",
            )


def of_first_stage(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of a run that trains no first stage, unless told to."""
    check_free(overrides, FIRST_STAGE)
    return compose("run", [*_unless_given([f"{UNTRAINED}=0"], overrides), *overrides])


def conditioning(overrides: Sequence[str]) -> str | None:
    """Return the option of the group `conditioning` that is asked for, if any."""
    return dict(map(key_and_value, overrides)).get("conditioning")


def composed(
    model: Mapping[str, Any],
    kind: str,
    condition: Condition,
    overrides: Sequence[str],
    *,
    averaged: bool,
    factor: int,
) -> dict[str, Any]:
    """Return the configuration of a run with a trained second stage, as the official code trains and samples.

    Args:
        model: Official `model.params`.
        kind: "frido" or "ldm".
        condition: How it is conditioned.
        overrides: Asked for; they may say how to sample and on what data, not what was trained.
        averaged: Whether its weights are averages.
        factor: Of the finest latent grid.
    """
    overrides = [override for override in overrides if _key(override) != "conditioning"]  # is in `condition`
    frido = kind == "frido"
    decided = [
        *condition.overrides,
        f"diffusion/parameterization={model.get('parameterization', 'eps')}",
        f"diffusion/teacher_forcing={'constant_mix' if frido else 'none'}",
        *([f"diffusion.teacher_forcing.tau={model.get('noise_mix_ratio', 0.0)}"] if frido else []),
        f"diffusion/layout={'stacked' if frido else 'native'}",
        f"averages@training.denoiser={'classic' if averaged else 'none'}",
        "size.images=0",
    ]
    usual = [
        f"task/loss={model.get('loss_type', 'l2')}",
        f"{UNTRAINED}=0",
        *([f"size.resolution={model['image_size'] * factor}"] if isinstance(model.get("image_size"), int) else []),
        STAGES,
        "diffusion/sampler=ddim_official",
        "diffusion.sampler.steps=200",
        f"diffusion.sampler.eta={1.0 if frido else 0.0}",
        f"diffusion/guidance={'classifier_free' if condition.guided else 'none'}",
        *(["diffusion.guidance.weight=1.5"] if condition.guided else []),
    ]
    return compose("run", [*_unless_given(usual, overrides), *overrides, *decided])


def check_room(config: Mapping[str, Any]) -> None:
    """Refuse data with more objects than the places that the conditioning was trained with.

    Raises:
        FridoError: There are more.
    """
    places, given = config["conditioning"].get("max_objects"), config["data"].get("reading", {}).get("max_objects", 0)
    if places is not None and given > places:
        raise FridoError(
            "data.reading.max_objects",
            got=given,
            wanted=f"at most {places}: the checkpoint was trained with so many objects",
            do=f"data.reading.max_objects={places}",
        )


def _unless_given(usual: Iterable[str], overrides: Sequence[str]) -> list[str]:
    """Return those of the usual overrides that are not asked for otherwise; without a group goes what is set in it."""
    typed = [key_and_value(override)[0] for override in overrides]
    same = {key.replace("/", ".") for key in typed}
    groups = tuple(f"{key.replace('/', '.')}." for key in typed if "/" in key)
    return [override for override in usual if _key(override) not in same and not _key(override).startswith(groups)]


def _key(override: str) -> str:
    return key_and_value(override)[0].replace("/", ".")
