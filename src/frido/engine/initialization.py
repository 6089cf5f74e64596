"""Initial weights from elsewhere: of another run, a part of one, or a file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.parts import chosen
from frido.engine.training import RAW

SETTING = "init_from of the training"
MOST_NAMES, MOST_PATTERNS = 6, 12
"""That an error or a printed line lists, and that it advises."""


class Match(NamedTuple):
    """What became of every name.

    `taken` were put in. `not_there` were asked for, and the source has none: they stay as they are. `unused` are the
    source's, but not the model's, or not asked for; of these, `other_shape` say both shapes.
    """

    source: str
    taken: list[str]
    not_there: list[str]
    unused: list[str]
    other_shape: list[str]

    def __str__(self) -> str:
        parts = (
            f"{len(self.taken)} tensors taken",
            f"{_counted(self.not_there)} not there, left as they are",
            f"{_counted(self.unused)} of its own unused",
        )
        return f"initial weights from {self.source}: {'; '.join(parts)}"


def file_of(source: Path) -> Path:
    """Return the file of weights that `source` stands for.

    A `.safetensors` file stands for itself; a checkpoint's folder for the average that its training draws with; a run's
    or stage's directory for its newest undamaged checkpoint, or for the only `.safetensors` file in it.

    Raises:
        FridoError: There is none.
    """
    if source.is_file():
        return source
    if (source / checkpoint.STATE).is_file() or (source / checkpoint.MANIFEST).is_file():
        if damage := checkpoint.find_damage(source):
            raise _refused(f"{source}, a damaged checkpoint: {damage}", "an undamaged one", "its run's directory")
        # A converted checkpoint says nothing: its weights are their own average.
        average = json.loads((source / checkpoint.STATE).read_text()).get("drawn_with", RAW)
        return source / (checkpoint.MODEL if average == RAW else checkpoint.average_file(average))
    found = checkpoint.latest(source)
    if found is not None:
        return file_of(found)
    alone = sorted(source.glob("*.safetensors"))
    if len(alone) == 1:
        return alone[0]
    is_there = "without an undamaged checkpoint" if source.is_dir() else "which does not exist"
    wanted = "a run directory, a stage's directory, a checkpoint's folder or a .safetensors file"
    raise _refused(f"{source}, {is_there}", wanted, "runs/RECIPE/HASH")


def initialize(model: nn.Module, source: Path, *, parts: Sequence[str]) -> Match:
    """Put weights and buffers of `source` into `model`, those of `parts`; return what matched.

    The names of a file that is of a single part of the model (an autoencoder's, say) count as below that part.

    Args:
        model: On any device; number formats stay its own.
        source: See `file_of`.
        parts: Patterns of the model's names.

    Raises:
        FridoError: `source` has no weights, none that are asked for, or some of another shape; a pattern matches
            nothing. The model is as it was.
    """
    file = file_of(source)
    match, weights = _matched(model, file, parts)
    model.load_state_dict({name: weights[name] for name in match.taken}, strict=False)
    return match


def check(model: nn.Module, source: Path, *, parts: Sequence[str]) -> None:
    """Raise the `FridoError` that `initialize` would, leaving the model as it is."""
    _matched(model, file_of(source), parts)


def _matched(model: nn.Module, file: Path, parts: Sequence[str]) -> tuple[Match, dict[str, Tensor]]:
    own = model.state_dict()
    asked = chosen(own, parts, setting="init_parts")
    weights = _below_their_part(_read(file), own)
    common = [name for name in asked if name in weights]
    refused = [name for name in common if weights[name].shape != own[name].shape]
    if refused:
        fitting = [f"{name} of shape {_shapes(name, weights, own)}" for name in refused]
        raise FridoError(
            SETTING,
            got=f"{file} with {_listed(fitting)}",
            wanted="the shapes of the configured model, or init_parts that leave these names out",
            do=_advice(_without(refused, asked)),
        )
    if not common:
        raise FridoError(
            SETTING,
            got=f"{file} with {_listed(sorted(weights))}",
            wanted=f"some of {_listed(asked)}",
            do="give weights of the same kind of model, or other init_parts",
        )
    unused = sorted(weights.keys() - set(common))
    other = [name for name in unused if name in own and weights[name].shape != own[name].shape]
    match = Match(
        source=str(file),
        taken=common,
        not_there=[name for name in asked if name not in weights],
        unused=unused,
        other_shape=[f"{name}: {_shapes(name, weights, own)}" for name in other],
    )
    return match, weights


def _read(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise _refused(f"{file}: {error}", "a readable .safetensors file", "runs/RECIPE/HASH") from None


def _below_their_part(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `weights` by the model's names: as they are if one fits, else below the part in which most fit."""
    tops = sorted({name.partition(".")[0] for name in own})
    best = max(tops, key=lambda top: sum(f"{top}.{name}" in own for name in weights))
    if any(name in own for name in weights) or not any(f"{best}.{name}" in own for name in weights):
        return weights
    return {f"{best}.{name}": tensor for name, tensor in weights.items()}


def _without(refused: Sequence[str], names: Sequence[str], depth: int = 1) -> list[str]:
    """Return the shortest patterns that match `names` but none of those `refused`."""
    patterns: list[str] = []
    for place in dict.fromkeys(".".join(name.split(".")[:depth]) for name in names):
        inside = [name for name in names if name == place or name.startswith(f"{place}.")]
        bad = [name for name in inside if name in refused]
        if not bad:
            patterns.append(place if place in inside else f"{place}.*")
        elif len(bad) < len(inside):
            patterns += _without(bad, inside, depth + 1)
    return patterns


def _advice(patterns: Sequence[str]) -> str:
    if not 0 < len(patterns) <= MOST_PATTERNS:
        return "give the settings that these weights were trained with, or other weights"
    return f"init_parts=[{','.join(patterns)}]"


def _shapes(name: str, weights: dict[str, Tensor], own: dict[str, Tensor]) -> str:
    return f"{tuple(weights[name].shape)} instead of {tuple(own[name].shape)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} ({_listed(names)})" if names else "0"


def _refused(got: str, wanted: str, example: str) -> FridoError:
    return FridoError(SETTING, got=got, wanted=wanted, do=f"init_from={example}, or null to start from nothing")
