"""Every key of a composed configuration, checked before anything is built or heavy is imported."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from frido.cli import settings, signatures, sources
from frido.cli.pairs import check_together
from frido.cli.signatures import Parameter, Signature, UnknownTargetError
from frido.cli.slots import check_slots
from frido.cli.values import fits, is_node
from frido.contracts.errors import FridoError, nearest

ROOMS = (
    "autoencoders",
    "conditioning",
    "data",
    "denoisers",
    "diffusion",
    "engine",
    "metrics",
    "nn",
    "tasks",
    "tracking",
)
ALLOWED = (*(f"frido.{room}." for room in ROOMS), "torch.nn.", "torch.optim.")
"""Prefixes of what a configuration may build: a configuration from a stranger is not to run just anything."""

MISSING = "???"


def check(config: Mapping[str, Any]) -> None:
    """Hold a resolved configuration against the constructors that it names; raise `FridoError` on the first misfit."""
    _check_settings("", config, signatures.read("frido.cli.settings.Settings"))
    settings.check_ranges(config)
    check_slots(config)
    check_together(config)


def check_node(path: str, node: Mapping[str, Any]) -> None:
    """Check an object to build, and all those inside it; `path` is its place in the configuration."""
    signature = target_of(path, node)
    partial = node.get("_partial_", False)
    if not isinstance(partial, bool):
        raise FridoError(f"{path}._partial_", got=repr(partial), wanted="true or false", do=f"{path}._partial_=true")
    given = {key: value for key, value in node.items() if key not in ("_target_", "_partial_")}
    _check_arguments(path, given, signature, complete=not partial)


def target_of(path: str, node: Mapping[str, Any]) -> Signature:
    """Return the signature of what `node` builds, if it may be built and exists."""
    target = node["_target_"]
    place = f"{path}._target_"
    if not isinstance(target, str) or not target.startswith(ALLOWED):
        wanted = f"something in {', '.join(prefix.rstrip('.') for prefix in ALLOWED)}"
        raise FridoError(
            place, got=repr(target), wanted=wanted, do="take an option of conf/, or write a class in src/frido"
        )
    try:
        return signatures.read(target)
    except UnknownTargetError as error:
        close = nearest(target, error.known) or error.known[:3]
        do = f"{place}={close[0]}" if close else "see the options with --help"
        raise FridoError(place, got=f"{target}, which is not defined", wanted="a class that exists", do=do) from None


def _check_settings(path: str, values: Mapping[str, Any], signature: Signature) -> None:
    """Check a mapping against one of the plain classes of `frido.cli.settings`."""
    _check_arguments(path, values, signature, complete=True)


def _check_arguments(path: str, given: Mapping[str, Any], signature: Signature, *, complete: bool) -> None:
    for key, value in given.items():
        place = f"{path}.{key}".lstrip(".")
        parameter = signature.parameters.get(key)
        if parameter is None and (not signature.open or str(key).startswith("_")):
            raise _unknown(place, str(key), value, given, signature)
        if value == MISSING:
            raise _missing(place, signature, parameter, got="no value yet (???)")
        if parameter is not None:
            _check_value(place, value, parameter, signature)
        _descend(place, value)
    for name, parameter in signature.parameters.items():
        if complete and parameter.required and name not in given:
            raise _missing(f"{path}.{name}".lstrip("."), signature, parameter, got="nothing")


def _check_value(place: str, value: Any, parameter: Parameter, signature: Signature) -> None:
    plain = _plain_class(parameter)
    if plain and isinstance(value, dict) and not is_node(value):
        _check_settings(place, value, plain)
    elif not fits(value, parameter.annotation, parameter.home):
        raise FridoError(
            place,
            got=_shown(value),
            wanted=_wanted(parameter),
            do=f"{place}={_example(parameter)}  ({_who(signature)} asks for it)",
        )


def _descend(place: str, value: Any) -> None:
    """Check what is nested in a value: nodes, and nodes in lists and mappings."""
    if isinstance(value, Mapping) and "_target_" in value:
        check_node(place, value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if inner == MISSING:
                raise FridoError(
                    f"{place}.{key}", got="no value yet (???)", wanted="a value", do=f"{place}.{key}=VALUE"
                )
            _descend(f"{place}.{key}", inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            _descend(f"{place}[{index}]", inner)


def _plain_class(parameter: Parameter) -> Signature | None:
    """Return the class of `frido.cli.settings` that an argument is to be, or may be beside null, if it is one."""
    name = parameter.annotation.left if isinstance(parameter.annotation, ast.BinOp) else parameter.annotation
    if parameter.home.name != settings.__name__ or not isinstance(name, ast.Name):
        return None
    found = sources.look_up(parameter.home, name.id)
    is_settings = found and isinstance(found.node, ast.ClassDef) and found.node.decorator_list
    return signatures.read(f"{settings.__name__}.{name.id}") if is_settings else None


def _unknown(place: str, key: str, value: Any, given: Mapping[str, Any], signature: Signature) -> FridoError:
    known = list(signature.parameters)
    parent = place.rpartition(".")[0]
    close = [name for name in nearest(key, known) if name not in given] or nearest(key, known)
    if close:
        do = f"{parent}.{close[0]}={value if not isinstance(value, dict | list) else '...'}".lstrip(".")
    elif key in ("experiment", "study"):
        do = f"{key}={value} without '+': then a recipe that does not exist is an error"
    else:
        do = f"leave out {place}"
    wanted = f"one of the settings of {_who(signature)}: {', '.join(known) or 'it takes none'}"
    return FridoError(place, got=f"{_shown(value)} for the unknown setting {key!r}", wanted=wanted, do=do)


def _missing(place: str, signature: Signature, parameter: Parameter | None, *, got: str) -> FridoError:
    wanted = f"{_wanted(parameter) if parameter else 'a value'}, which {_who(signature)} requires"
    return FridoError(place, got=got, wanted=wanted, do=f"{place}={_example(parameter)}")


def _who(signature: Signature) -> str:
    name = signature.target.removeprefix(f"{settings.__name__}.")
    if name == signature.target:
        return name
    return "the configuration" if name == "Settings" else f"the group {name.lower()}"


def _wanted(parameter: Parameter) -> str:
    return f"an object to build (`_target_: ...`) for {parameter.type}" if parameter.type == "Node" else parameter.type


def _shown(value: Any) -> str:
    text = repr(value) if not is_node(value) else f"an object to build ({value['_target_']})"
    return f"{text if len(text) < 120 else text[:117] + '...'} ({type(value).__name__})"


def _example(parameter: Parameter | None) -> str:
    """Return something to type that would fit; `...` where only the user can know."""
    candidates: list[tuple[object, str]] = [(0.5, "0.5"), (1, "1"), (True, "true"), ([1], "[1]"), (["a"], "[a]")]
    if parameter is None:
        return "VALUE"
    text = parameter.type
    if text.startswith("Literal["):
        return str(ast.literal_eval(text.removeprefix("Literal").replace("'", '"'))[0])
    fitting = [typed for value, typed in candidates if fits(value, parameter.annotation, parameter.home)]
    return fitting[0] if fitting and len(fitting) < len(candidates) else "VALUE"
