"""Whole diffusion models (Frido, LDM): official weights and settings as a run that has been trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from frido.cli.build import build
from frido.cli.conversion import conditions, directory, first_stage, recipe
from frido.cli.conversion.conditions import Condition
from frido.cli.conversion.directory import Converted
from frido.contracts.context import ContextWidths
from frido.contracts.errors import FridoError
from frido.importers import foreign, latent_diffusion, pyunet, schedules
from frido.importers.translate import Report, fit


class Official(NamedTuple):
    """The official YAML of a diffusion model."""

    model: Mapping[str, Any]
    """`model.params`."""
    unet: Mapping[str, Any]
    """`model.params.unet_config.params`."""
    data: Mapping[str, Any]
    """`data.params.train.params`; empty where a model is released without."""

    @classmethod
    def read(cls, path: Path) -> "Official":
        """Return the YAML at `path`.

        Raises:
            FridoError: It is none of a diffusion model.
        """
        whole = foreign.settings(path)
        keys = ("data", "params", "train", "params")
        data: Any = whole
        for key in keys:
            data = data.get(key) or {} if isinstance(data, Mapping) else {}
        model = foreign.settings(path, "model", "params")
        return cls(model, foreign.settings(path, "model", "params", "unet_config", "params"), data)

    @property
    def kind(self) -> str:
        return "frido" if pyunet.is_pyramid(self.unet) else "ldm"


def convert(
    tensors: Mapping[str, Tensor],
    official: Official,
    *,
    checkpoint: Path,
    weights: str | None,
    name: str,
    overrides: Sequence[str],
    arguments: Sequence[str],
) -> None:
    """Write a run directory around a diffusion model.

    Args:
        tensors: All of the checkpoint.
        official: What it was trained with.
        checkpoint: Where it lies.
        weights: "ema" or "raw" ones of the denoiser; `None` takes those that the official code samples with.
        name: Of the recipe.
        overrides: Of the run's configuration.
        arguments: Of the command, to be remembered.

    Raises:
        FridoError: Something does not fit; nothing has been written.
    """
    source = str(checkpoint)
    recipe.check_free(overrides, (*recipe.FIRST_STAGE, *recipe.SECOND_STAGE))
    if strange := latent_diffusion.strangers(tensors):
        raise FridoError(
            f"tensors of {source}",
            got=f"{len(strange)} that belong to no part of a diffusion model: {', '.join(strange[:8])}",
            wanted="denoiser, averages, first stage, conditioning and schedule",
            do="check that it is a checkpoint of Frido or of latent-diffusion",
        )
    found = first_stage.imported(tensors, official.model, source=f"the first stage in {source}")
    chosen = recipe.conditioning(overrides)
    condition = conditions.read(official.model, official.data, stage=found.stage, chosen=chosen)
    schedule = schedules.node(official.model)
    schedules.check(tensors, build(schedule), source=source)
    _check_fit(official, condition, latents=[found.stage.channels] * len(found.stage.factors))

    weights = weights or ("ema" if official.model.get("use_ema", True) else "raw")
    denoiser, report = _denoiser(tensors, official, condition, weights, source)
    given = latent_diffusion.part(tensors, latent_diffusion.CONDITION)
    conditioning = fit(condition.module, given, condition.table, source=f"the conditioning in {source}")

    config = recipe.composed(
        official.model,
        official.kind,
        condition,
        overrides,
        averaged=weights == "ema",
        factor=found.stage.factors[-1],
    )
    config["autoencoder"], config["diffusion"]["schedule"] = found.node, schedule
    config["denoiser"] = pyunet.node(official.unet)
    recipe.check_room(config)
    state = {f"denoiser.{key}": tensor for key, tensor in report.state.items()}
    state |= {f"{condition.place}{key}": tensor for key, tensor in conditioning.state.items()}
    converted = Converted(
        checkpoint=checkpoint,
        reports={
            "first stage": found.report,
            "denoiser": report,
            "conditioning": conditioning,
            "rest": _rest(tensors, weights),
        },
        first_stage=found.state,
        second_stage={key: tensor.float().contiguous() for key, tensor in state.items()},
        parameters={
            "denoiser": sum(p.numel() for module in (denoiser, condition.module) for p in module.parameters()),
            "autoencoder": found.parameters,
        },
        facts={"weights": weights},
    )
    place = directory.write(config, converted, name=name, arguments=arguments)
    directory.tell(converted)
    print(f"weights of the denoiser: {_WEIGHTS[weights]} (weights={weights})")
    if weights == "raw" and not official.model.get("use_ema", True):
        print("  the YAML says use_ema: False: such a model was released without averages")
    print(f"schedule: the checkpoint's {len(schedules.BUFFERS)} buffers are those of the YAML")
    print(f"scale factors: {found.state['scale_factors'].tolist()}")
    print(f"needs of a dataset: {condition.needs}")
    print(f"run directory: {place}")
    print(f"next: python -m frido.run run={place}   # {', '.join(config['stages'])}")


_WEIGHTS = {"ema": "averaged", "raw": "as last trained, not averaged"}


def _check_fit(official: Official, condition: Condition, *, latents: Sequence[int]) -> None:
    """Refuse parts that do not belong to each other."""
    unet = official.unet
    tokens = unet.get("context_dim") or 0 if unet.get("use_spatial_transformer") else 0
    rules = (
        ("latents of the U-Net", pyunet.channels(unet), list(latents), "channels of the first stage"),
        ("context_dim of the U-Net", tokens, condition.tokens, "the width of the conditioning"),
        ("in_channels of the U-Net, less out_channels", pyunet.map_channels(unet), condition.map, "the conditioning's"),
    )
    for what, got, wanted, whose in rules:
        if got != wanted:
            raise FridoError(
                f"config: {what}",
                got=got,
                wanted=f"{wanted}: {whose}",
                do="give the YAML that the checkpoint was trained with",
            )


def _denoiser(
    tensors: Mapping[str, Tensor],
    official: Official,
    condition: Condition,
    weights: str,
    source: str,
) -> tuple[torch.nn.Module, Report]:
    """Return our denoiser without values, and the chosen weights under its names."""
    widths = ContextWidths(tokens=condition.tokens, map=condition.map, pooled=0)
    with torch.device("meta"):
        node = pyunet.node(official.unet)
        module = build(node, channels=pyunet.channels(official.unet), context=widths, tells_level=False)
    if weights == "ema":
        given = latent_diffusion.averaged(tensors, source=source)
    else:
        given = latent_diffusion.part(tensors, latent_diffusion.DENOISER)
    names, changes = pyunet.table(official.unet), pyunet.changes(official.unet)
    return module, fit(module, given, names, source=f"the denoiser in {source}", changes=changes)


def _rest(tensors: Mapping[str, Tensor], weights: str) -> Report:
    """Return what is in no network of ours: the schedule and scale factors, and the other weights of the denoiser."""
    other = latent_diffusion.DENOISER if weights == "ema" else latent_diffusion.AVERAGES
    counters = {*latent_diffusion.DROPPED} & tensors.keys()
    dropped = [name for name in tensors if name.startswith(other) or name in counters]
    kept = [name for name in tensors if name in latent_diffusion.KNOWN and name not in counters]
    return Report(renamed={name: name for name in kept}, dropped=sorted(dropped))
