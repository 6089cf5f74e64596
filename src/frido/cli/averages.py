"""`ema=...` beside `run=RUN_DIR`: which average of the weights to draw with, or to make first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.cli.compose import parsed
from frido.contracts.errors import FridoError, nearest
from frido.engine.averages import length

STAGE, DRAWING, RAW = "ema", ("sample", "evaluate"), "raw"
PLACE = "training.denoiser.drawn_with"
"""Of a run's configuration: the name of what is drawn with."""


def read(given: str, config: Mapping[str, Any]) -> list[str | float]:
    """Return what is asked for: the name of an average that was kept while training or "raw", or lengths of others.

    Raises:
        FridoError: It is neither, or the run has none.
    """
    training = config["training"]["denoiser"]
    if training["images"] == 0:
        do = "leave out ema; frido.convert weights=raw takes a checkpoint's weights that were not averaged"
        raise FridoError(f"ema={given}", got="weights that came from elsewhere", wanted="a run that trained", do=do)
    value = parsed(f"ema={given}")
    kept = [*training["averages"], RAW]
    if isinstance(value, str) and value in kept:
        return [value]
    lengths = value if isinstance(value, list) else [value]
    if not lengths or any(type(one) not in (int, float) for one in lengths):
        raise FridoError(
            f"ema={given}",
            got=repr(value),
            wanted=f"one of {', '.join(kept)}; or a length, or a list of lengths, such as 0.1",
            do=f"ema={(nearest(str(value), kept) or kept)[0]}",
        )
    for one in lengths:
        length.check(one, setting=f"ema={given}")
    return [float(one) for one in lengths]


def lengths(asked: Sequence[str | float]) -> tuple[float, ...]:
    """Return what of it the stage `ema` has to do with."""
    return tuple(one for one in asked if not isinstance(one, str))


def drawn_with(asked: Sequence[str | float], config: Mapping[str, Any]) -> dict[str, str]:
    """Return, by its place, the setting that draws with it; empty where the run does so anyway, or none is chosen."""
    if len(asked) != 1:
        return {}
    (one,) = asked
    name = one if isinstance(one, str) else length.name(one)
    return {} if name == config["training"]["denoiser"]["drawn_with"] else {PLACE: name}


def word(one: str | float) -> str:
    """Return it as a part of a folder's name: `ema_power_10`, `ema0.075`."""
    return f"ema_{one}" if isinstance(one, str) else f"ema{one:g}"


def check(lengths: Sequence[float], stages: Sequence[str], directory: Path) -> None:
    """Refuse a stage `ema` that has nothing to make, and to draw with averages that are not there, or several."""
    if STAGE in stages and not lengths:
        do = f"stages=[{STAGE}] ema=0.1; averages that were kept while training are there without it"
        raise FridoError("ema", got="no length", wanted=f"lengths for the stage {STAGE}", do=do)
    if len(lengths) > 1 and {*DRAWING} & {*stages}:
        typed = ",".join(f"{one:g}" for one in lengths)
        do = f"stages=[{STAGE}] ema=[{typed}], then draw with ema={lengths[0]:g}"
        raise FridoError(f"ema=[{typed}]", got=f"{len(lengths)} to draw with", wanted="one average", do=do)
    for one in lengths:
        file = length.file(directory, length.name(one))
        if {*DRAWING} & {*stages} and STAGE not in stages and not file.is_file():
            do = f"stages=[{STAGE},{','.join(stages)}] ema={one:g}"
            raise FridoError(f"ema={one:g}", got=f"no {file}", wanted="an average that was made before", do=do)


def refuse_before_training(stages: Sequence[str]) -> None:
    """Refuse the stage `ema` in a recipe: what it makes is chosen when a run has been trained."""
    if STAGE in stages:
        do = f"leave {STAGE} out, then python -m frido.run run=RUN_DIR stages=[{STAGE}] ema=0.1"
        raise FridoError("stages", got=f"{list(stages)}", wanted=f"{STAGE} beside run=RUN_DIR only", do=do)
