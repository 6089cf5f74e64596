"""First stages: official weights as an autoencoder of ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from frido.cli.build import build
from frido.cli.conversion import directory
from frido.cli.conversion.directory import Converted
from frido.importers import first_stage, first_stage_names, first_stage_settings
from frido.importers.translate import Report, fit


class Imported(NamedTuple):
    """An official first stage under our names."""

    stage: first_stage.FirstStage
    node: dict[str, Any]
    state: dict[str, Tensor]
    report: Report

    @property
    def parameters(self) -> int:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(self.node).parameters())


def imported(tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, source: str) -> Imported:
    """Return the first stage in a checkpoint: its node, its state dict, and what became of every name.

    Args:
        tensors: Of a first stage, or of a diffusion model with one inside.
        settings: Official `model.params` of either, to hold the weights against; empty without a YAML.
        source: Where the tensors come from.

    Raises:
        FridoError: They cannot be used, or the two disagree.
    """
    weights = first_stage.weights_in(tensors)
    stage = first_stage.read(weights)
    params = settings.get("first_stage_config", {}).get("params", settings)
    if settings:
        first_stage_settings.check(stage, params)
    node = first_stage.node(stage, commitment=params.get("quant_beta", first_stage.COMMITMENT))
    with torch.device("meta"):
        module = build(node)
    report = fit(
        module,
        weights,
        first_stage_names.table(stage),
        source=source,
        changes=first_stage_names.changes(stage),
        keep=first_stage_names.KEEP,
    )
    state = {name: tensor.float().contiguous() for name, tensor in report.state.items()}
    factors = first_stage.scale_factors(tensors, settings, scales=len(stage.factors))
    state["calibrated"] = torch.tensor(factors is not None)
    state["scale_factors"] = torch.ones(len(stage.factors)) if factors is None else factors
    return Imported(stage, node, state, report)


def convert(
    tensors: Mapping[str, Tensor],
    settings: Mapping[str, Any],
    config: dict[str, Any],
    *,
    checkpoint: Path,
    name: str,
    arguments: Sequence[str],
) -> None:
    """Write a run directory around the first stage in a checkpoint. For `settings` see `imported`."""
    found = imported(tensors, settings, source=str(checkpoint))
    config["autoencoder"] = found.node
    converted = Converted(checkpoint=checkpoint, reports={"first stage": found.report}, first_stage=found.state)
    place = directory.write(config, converted, name=name, arguments=arguments)
    directory.tell(converted)
    factors = found.state["scale_factors"].tolist() if found.state["calibrated"] else None
    print(f"scale factors: {factors or 'none; the stage autoencoder measures them'}")
    print(f"run directory: {place}")
    print(f"next: python -m frido.run run={place} stages=[data,autoencoder]")
