"""What a command with `match=` asks for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frido.cli import options
from frido.cli.compose import parsed
from frido.cli.suggest import key_and_value, menu
from frido.contracts.errors import FridoError, nearest

QUANTITIES = {
    "parameters": "trained parameters of the denoiser",
    "flops": "floating-point operations of a training step, for one image",
    "time": "seconds of a training step, for one image, on this machine",
}
OWN = ("match", "arm", "like", "by", "with", "name")
BY = "size.width"
"""The dial that is turned where none is named; widths, heads and embeddings of `pyunet` and `unet` follow it."""


@dataclass(frozen=True)
class Request:
    """Make `arm` have as much of `quantity` as `like`, by turning one dial.

    Args:
        quantity: One of `QUANTITIES`.
        arm: Of conf/arm; the one that is changed.
        like: Of conf/arm; the one that is matched.
        by: Path of a whole number in the configuration.
        fixed: More settings of the new arm, `key.path=value`.
        name: Of the new arm.
        others: Overrides that both arms share.
    """

    quantity: str
    arm: str
    like: str
    by: str
    fixed: tuple[str, ...]
    name: str
    others: tuple[str, ...]


def asked_for(arguments: Sequence[str]) -> bool:
    """Return whether the arguments ask for a matched arm."""
    return any(argument.startswith("match=") for argument in arguments)


def read(arguments: Sequence[str], directory: Path) -> Request:
    """Return what the arguments ask for; names are known, nothing is composed yet."""
    given: dict[str, str] = {}
    others = []
    for argument in arguments:
        key, value = key_and_value(argument)
        if key not in OWN or argument.startswith(("+", "~")):
            others.append(argument)
        elif not value or key in given:
            got = "nothing after '='" if not value else "given twice"
            raise FridoError(f"the argument {argument}", got=got, wanted="one value", do=f"{key}=VALUE")
        else:
            given[key] = value
    quantity = _one_of("match", given.get("match", ""), list(QUANTITIES))
    arms = options.groups(directory).get("arm", [])
    arm, like = (_one_of(key, given.get(key, ""), arms) for key in ("arm", "like"))
    if arm == like:
        do = f"like={next((other for other in arms if other != arm), 'ARM')}"
        raise FridoError(f"like={like}", got="the arm itself", wanted="another arm to be as large as", do=do)
    name = given.get("name", f"{arm}_matched")
    if not re.fullmatch(r"\w[\w-]*", name) or name in (arm, like):
        raise FridoError(f"name={name}", got=name, wanted="a new file's name", do=f"name={arm}_matched")
    return Request(quantity, arm, like, given.get("by", BY), _settings(given.get("with")), name, tuple(others))


def _one_of(key: str, value: str, known: Sequence[str]) -> str:
    if value in known:
        return value
    do = f"{key}={(nearest(value, known) or known or ['NAME'])[0]}"
    got = value or "nothing"
    raise FridoError(f"{key}={value}" if value else key, got=got, wanted=f"one of {menu(known)}", do=do)


def _settings(value: str | None) -> tuple[str, ...]:
    """Return the settings of `with=key=value` or `with=[key=value,other=value]`."""
    if value is None:
        return ()
    settings = tuple(part.strip() for part in value.strip("[]").split(","))
    for setting in settings:
        if not re.fullmatch(r"[\w.]+=[^=]+", setting) or "." not in setting.partition("=")[0]:
            raise FridoError(
                f"with={value}",
                got=setting,
                wanted="settings of the new arm, by their whole paths",
                do="with=[denoiser.groups=16]; an option of a group belongs into the file of the arm",
            )
        parsed(setting)
    return settings
