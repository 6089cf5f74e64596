"""`run=RUN_DIR ...`: go on with, or use, a run that exists. Its configuration is data, checked like any other."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.cli import averages, prove_resume
from frido.cli.amend import amended, at
from frido.cli.compose import parsed
from frido.cli.drawing import Drawing, word
from frido.cli.launch import announce, await_rank_0, work
from frido.cli.locks import hold
from frido.cli.rundir import RunDirectory
from frido.cli.schema import check
from frido.cli.suggest import key_and_value
from frido.contracts.errors import FridoError

CHANGEABLE = ("hardware", "tracking", "metrics")
"""Kept in the run's configuration: how it is computed and what is measured, not what it is."""
REDRAWN = ("diffusion.sampler", "diffusion.guidance", "diffusion.teacher_forcing", "size.samples", "seed")
"""Where a drawing may differ from the run's own; of teacher forcing, what it does in sampling."""
GROUPS = (*CHANGEABLE, "diffusion/sampler", "diffusion/guidance")
FILES = ("scenes", "image", "mask")
NAMES = ("run", "stages", "ema", *FILES, "strength", "tag")
WANTED = (
    "besides run=RUN_DIR: stages=[...], ema=NAME or LENGTH, scenes=FILE, image=FILE, mask=FILE, strength=NUMBER, "
    "tag=NAME, diffusion/sampler..., diffusion/guidance..., size.samples, seed (of sampling), metrics..., "
    "hardware..., tracking...; "
    "the rest of a run is frozen"
)
DRAWS, ALONGSIDE = "sample", ("ema", "sample", "evaluate", "report")


def asked_for(arguments: Sequence[str]) -> bool:
    """Say whether the arguments name a run directory."""
    return any(argument.startswith("run=") for argument in arguments)


def again(arguments: Sequence[str]) -> int:
    """Run stages of the run directory that the arguments name; return the exit code."""
    given = _sorted_out(arguments)
    directory = RunDirectory.existing(Path(given["run"]))
    frozen = directory.config
    check(frozen)
    config = amended(frozen, [a for a in arguments if _is_changeable(a)], groups=GROUPS)
    drawing = _drawing(given, config, [a for a in arguments if _is_redrawn(key_and_value(a)[0])])
    if "stages" in given or drawing.lengths or not drawing.own:
        only = averages.STAGE if drawing.own else DRAWS
        config["stages"] = parsed(f"stages={given.get('stages', f'[{only}]')}")
    check(drawing.applied(config))
    _check_stages(drawing, config["stages"])
    averages.check(drawing.lengths, config["stages"], directory.path)
    if drawing.image:
        from frido.cli import photo  # numpy, which other commands answer without

        photo.check(drawing.image, drawing.mask, config["size"]["resolution"])
    now = {**config, "stages": frozen["stages"]}
    if int(os.environ.get("RANK", 0)) > 0:
        await_rank_0(directory, now)
        return work(directory, config["stages"], drawing=drawing)
    with hold(directory.path, wait=False):
        directory.make()
        directory.freeze(now)
        announce(directory, arguments, config)
        return work(directory, config["stages"], drawing=drawing)


def _sorted_out(arguments: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for argument in arguments:
        key, value = key_and_value(argument)
        known = key in NAMES or _is_changeable(argument) or _is_redrawn(key)
        if not known or "=" not in argument or argument.startswith(("+", "~", "-")):
            do = f"leave out {argument}, or train anew: the same command without run="
            raise FridoError(f"the argument {argument}", got=f"{argument} beside run=", wanted=WANTED, do=do)
        if not value or key in given:
            got = "nothing after '='" if not value else "given twice"
            raise FridoError(f"the argument {argument}", got=got, wanted="one value", do=f"{key}=VALUE")
        given[key] = value.strip("'\"")
    return given


def _is_changeable(argument: str) -> bool:
    return key_and_value(argument)[0].partition(".")[0] in CHANGEABLE


def _is_redrawn(key: str) -> bool:
    if key.startswith("diffusion.teacher_forcing"):
        return key.startswith("diffusion.teacher_forcing.sampling_")
    return key in GROUPS or key in REDRAWN or key.startswith(("diffusion.sampler.", "diffusion.guidance."))


def _drawing(given: Mapping[str, str], config: Mapping[str, Any], overrides: Sequence[str]) -> Drawing:
    """Return what is asked for; files are there, numbers are in range."""
    changed = amended(config, overrides, groups=GROUPS)
    settings = {place: at(changed, place) for place in REDRAWN if at(changed, place) != at(config, place)}
    words = [_word(*key_and_value(override)) for override in overrides]
    asked = averages.read(given["ema"], config) if "ema" in given else []
    for place, name in averages.drawn_with(asked, config).items():
        settings[place] = name
        words.append(averages.word(asked[0]))
    files = {name: _file(name, given[name]) for name in FILES if name in given}
    for name in ("mask", "strength"):
        if name in given and "image" not in given:
            raise FridoError(
                f"{name}={given[name]}", got="no image", wanted="a picture that it is about", do="image=FILE"
            )
    tag = given.get("tag")
    if tag is not None and not re.fullmatch(r"\w[\w.+-]*", tag):
        do = f"tag={word('', tag).lstrip('.+-') or 'mine'}"
        raise FridoError(f"tag={tag}", got=repr(tag), wanted="a folder's name: letters, digits and _ . + -", do=do)
    return Drawing(
        **files,
        strength=_strength(given),
        settings=settings,
        lengths=averages.lengths(asked),
        words=tuple(words),
        tag=tag,
    )


def _word(key: str, value: str) -> str:
    """Return what a folder is called by an override: an option's name, or a setting's with its value."""
    return word("" if key in GROUPS else key.rpartition(".")[2], value)


def _file(name: str, given: str) -> Path:
    path = Path(given)
    if not path.is_file():
        near = sorted(str(other) for other in path.parent.glob(f"*{path.suffix or '.*'}"))[:1]
        do = f"{name}={near[0]}" if near else f"{name}=FILE"
        wanted = "a file of scenes" if name == "scenes" else "a picture"
        raise FridoError(f"{name}={path}", got="no such file", wanted=wanted, do=do)
    return path


def _strength(given: Mapping[str, str]) -> float | list[float] | None:
    if "strength" not in given:
        return None
    value = parsed(f"strength={given['strength']}")
    numbers = value if isinstance(value, list) else [value]
    sound = all(type(number) in (int, float) and 0 <= number <= 1 for number in numbers)
    if not sound or not any(numbers):
        raise FridoError(
            f"strength={given['strength']}",
            got=repr(value),
            wanted="0 to 1, or a list of one number per scale, coarsest first; 1 draws from noise alone, "
            "0 takes the picture as it is, and not every scale may",
            do="strength=0.6, or strength=[0,1]",
        )
    return [float(number) for number in numbers] if isinstance(value, list) else float(value)


def _check_stages(drawing: Drawing, stages: Sequence[str]) -> None:
    """Refuse stages that would train with settings of a drawing, or that it has nothing to do with."""
    if prove_resume.NAME in stages:
        wanted = "a recipe: a small copy of it is trained, beside all runs"
        do = f"the command of the run's provenance.json with stages=[{prove_resume.NAME}]"
        raise FridoError(f"stages=[{prove_resume.NAME}]", got="run=RUN_DIR", wanted=wanted, do=do)
    asked = "scenes" if drawing.scenes else "image" if drawing.image else "settings of sampling"
    if drawing.personal and DRAWS not in stages:
        wanted = "stages that include sample: it draws"
        raise FridoError(asked, got=f"stages={stages}", wanted=wanted, do=f"stages=[{DRAWS}]")
    if drawing.personal and "evaluate" in stages:
        wanted = f"no evaluate: of {asked}=... there are no true images to compare with"
        raise FridoError("stages", got=f"{stages}", wanted=wanted, do=f"stages=[{DRAWS}]")
    if (drawing.lengths or not drawing.own) and not set(stages) <= set(ALONGSIDE):
        wanted = f"{', '.join(ALONGSIDE)}: what was trained stays as it was frozen"
        do = f"stages=[{','.join(stage for stage in ALONGSIDE if stage in stages) or DRAWS}]"
        raise FridoError("stages", got=f"{stages} with {asked}", wanted=wanted, do=do)
