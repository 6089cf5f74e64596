"""Hydra and OmegaConf say no in their own words; here these become ours: what, got, wanted, do."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from frido.cli import options
from frido.cli.suggest import deepest, key_and_value, keys_of_groups, menu, suggestions, unresolved
from frido.contracts.errors import FridoError, nearest

REMOVABLE = "source.filters."
"""What a recipe of `frido.pack` lists and a person may leave out."""

GRAMMAR = "key=value (seed=3), group=option (size=tiny) or a quoted text ('title=\"a, b\"')"


def refuse_early(primary: str, overrides: Sequence[str], directory: Path) -> None:
    """Refuse what Hydra would accept without a word, or refuse in a way that hides the cause."""
    available = options.groups(directory)
    for override in overrides:
        key, value = key_and_value(override)
        if override.startswith("-") or not key or ("=" not in override and not override.startswith("~")):
            raise FridoError(f"the argument {override!r}", got=override, wanted=GRAMMAR, do="see --help")
        if re.match(r"hydra\b", key):
            raise FridoError(key, got=override, wanted="a setting of Frido", do=f"leave out {override}")
        group = key.partition("@")[0]
        if group in available and (value.startswith("{") or value in ("", "null")):
            raise FridoError(
                key,
                got=repr(value),
                wanted=f"one of {menu(available[group])}",
                do=f"{key}={available[group][0]}, or leave it out",
            )
        if group in available and re.fullmatch(r"[\d.+-][\d.e+-]*", value):
            others = [o for o in overrides if o != override]
            close = suggestions(key, unresolved(primary, others, directory))
            wanted = f"one of the group {group}: {menu(available[group])}; or a setting by its whole path"
            raise FridoError(key, got=value, wanted=wanted, do=f"{(close or [key])[0]}={value}")
        if override.startswith("~") and "." in key and not key.startswith(REMOVABLE):
            raise FridoError(
                key,
                got=f"{override}: removes a setting",
                wanted="a value for every setting; settings do not disappear",
                do=f"{key}=VALUE, or choose another option of {key.partition('.')[0]}",
            )


@contextmanager
def translated(primary: str, overrides: Sequence[str], directory: Path) -> Iterator[None]:
    """Turn a refusal of Hydra, OmegaConf or the YAML parser into a `FridoError`."""
    import yaml
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except OverrideParseException as error:
        raise grammar(error.override, str(error)) from error
    except MissingConfigException as error:
        raise _unknown_option(error, overrides, directory) from error
    except yaml.YAMLError as error:
        raise _broken_yaml(error) from error
    except OmegaConfBaseException as error:
        raise _interpolation(error, primary, overrides, directory) from error
    except HydraException as error:
        raise _rejected(error, primary, overrides, directory) from error


def grammar(override: str, message: str) -> FridoError:
    first = message.splitlines()[0].removeprefix("LexerNoViableAltException: ")
    return FridoError(
        f"the override {override!r}",
        got=first,
        wanted=GRAMMAR,
        do="quote what holds blanks, commas, brackets or '=': 'key=\"a=b\"'",
    )


def _unknown_option(error: Any, overrides: Sequence[str], directory: Path) -> FridoError:
    """A group has no such option; or, without a group, the primary configuration is not there."""
    group, _, option = str(error.missing_cfg_file or "").rpartition("/")
    known = list(error.options or [])
    for name in options.RECIPES:  # recipes lie in folders; Hydra lists one level only
        if f"{group}/".startswith(f"{name}/"):
            option, group = f"{group}/{option}".removeprefix(f"{name}/"), name
            known = options.groups(directory).get(name, [])
    typed = [o for o in overrides if (pair := key_and_value(o))[0].partition("@")[0] == group and option in pair[1]]
    source = "" if typed else f", asked for by {_asks_for(group, option, directory) or 'a defaults list'}"
    key = key_and_value(typed[0])[0] if typed else group
    close = nearest(option, known)
    choice = close[0] if close else (known[0] if known else "OPTION")
    return FridoError(
        f"{key or 'the configuration'}={option}{source}",
        got=f"{option!r}, unknown to the group {group!r}" if group else f"no {option}.yaml in {directory}",
        wanted=f"one of {menu(known)}",
        do=f"{key}={choice}" if typed else f"write {choice} in its place",
    )


def _asks_for(group: str, option: str, directory: Path) -> str:
    """Return the file whose defaults list names the missing option; Hydra blames the primary for it."""
    entry = re.compile(
        rf"^\s*-\s*(override\s+)?/?\S*{re.escape(group.rpartition('/')[2])}(@\S+)?\s*:\s*{re.escape(option)}\s*$", re.M
    )
    for path in sorted(directory.rglob("*.yaml")):
        if entry.search(path.read_text()):
            return f"conf/{path.relative_to(directory)}"
    return ""


def _broken_yaml(error: Any) -> FridoError:
    mark = getattr(error, "problem_mark", None)
    place = f"{mark.name}, line {mark.line + 1}" if mark else "a YAML file"
    return FridoError(
        place,
        got=getattr(error, "problem", None) or str(error).splitlines()[0],
        wanted="valid YAML",
        do="correct that line (brackets closed, two blanks per level, text with ':' quoted)",
    )


def _interpolation(error: Any, primary: str, overrides: Sequence[str], directory: Path) -> FridoError:
    key = getattr(error, "full_key", None) or "the configuration"
    message = str(error).splitlines()[0]
    missing = re.search(r"Interpolation key '([^']+)' not found", message)
    do = f"{key}=VALUE"
    if missing:
        without = [o for o in overrides if key_and_value(o)[0] != key]
        close = suggestions(missing[1], unresolved(primary, without, directory))
        do = f"{key}=${{{close[0]}}}" if close else do
    return FridoError(key, got=message, wanted="a value, or ${...} around a setting that has one", do=do)


def _rejected(error: Any, primary: str, overrides: Sequence[str], directory: Path) -> FridoError:
    """Everything else is about one override, named in the first line of Hydra's message."""
    message = " ".join(str(error).splitlines()[:1])
    if "requires --multirun" in message or "Ambiguous value" in message:
        override = re.search(r"'(.*)'", message)
        return FridoError(
            f"the override {override[1] if override else message!r}",
            got="several values",
            wanted="one value: this command does one run",
            do="add -m, which makes a run of each; for a list write key=[a,b], for a text key=\"'a,b'\"",
        )
    named = re.search(r"'([^']+)'", message.removeprefix(_blamed(message)))
    key = named[1] if named else ""
    if _blamed(message) and "No match in the defaults list" in message:
        return FridoError(
            f"{key} in {_blamed(message)[4:-3]}.yaml",
            got=f"override /{key}",
            wanted="a group that is in the defaults list",
            do=f"write one of {menu(nearest(key, options.groups(directory)) or sorted(options.groups(directory)))}",
        )
    if "Multiple values for" in message or "already at" in message:
        repeated = re.match(r"Multiple values for ([\w/@]+)", message)
        key = repeated[1] if repeated else key
        typed = next((o for o in overrides if key_and_value(o)[0] == key), key)
        return FridoError(key, got=f"{typed}: has a value already", wanted="no '+' before it", do=typed.lstrip("+"))
    if merging := re.match(r"Error merging override ([^=]+)=(.*)", message):
        return FridoError(
            merging[1],
            got=merging[2],
            wanted="a mapping, as it has now; another kind of value takes two overrides",
            do=f"{merging[1]}=null '{merging[1]}={merging[2]}'",
        )
    typed = next((o for o in overrides if key_and_value(o)[0] == key), message)
    return _unknown_key(key, typed, primary, overrides, directory)


def _holders(group: str, directory: Path) -> list[str]:
    """Return the options of the group above whose defaults lists name `group`."""
    parent, _, part = group.rpartition("/")
    entry = re.compile(rf"^\s*- (/{re.escape(group)}|{re.escape(part)}):", re.MULTILINE)
    files = sorted((directory / parent).glob("*.yaml")) if parent else []
    return [path.stem for path in files if entry.search(path.read_text())]


def _blamed(message: str) -> str:
    match = re.match(r"In '[^']*': ", message)
    return match[0] if match else ""


def _unknown_key(key: str, typed: str, primary: str, overrides: Sequence[str], directory: Path) -> FridoError:
    others = [o for o in overrides if key_and_value(o)[0] != key]
    config, groups = unresolved(primary, others, directory), options.groups(directory)
    value = key_and_value(typed)[1]
    group = key.partition("@")[0]
    if value in groups.get(group, ()) and (holders := _holders(group, directory)):
        above = group.rpartition("/")[0]
        wanted = f"an option of {above} that has this part: {menu(holders)}"
        return FridoError(key, got=typed, wanted=wanted, do=f"{above}={holders[0]} {typed}")
    mounted = [name for name in keys_of_groups(primary, directory) if name.startswith(f"{key}@")]
    if value in groups.get(key, ()) and mounted:
        return FridoError(key, got=typed, wanted=f"its place: {menu(mounted)}", do=f"{mounted[-1]}={value}")
    if "/" in key or "@" in key:
        close = nearest(key, [*groups, *keys_of_groups(primary, directory)])
        wanted = f"a group: {menu(sorted(groups))}"
    else:
        known_value = [g for g in nearest(group, groups, count=5) if value in groups[g]]
        close = [*known_value, *suggestions(key, config)]
        if not close and "." not in key:
            close = nearest(key, groups)
        parent, place = deepest(key, config)
        wanted = (
            f"a setting of {place or 'the configuration'}: {menu([name for name in parent if name[0] != '_'])}"
            if parent
            else f"no setting below {place}"
        )
    do = f"{close[0]}={value}" if close else "see the settings with --cfg job, the groups with --help"
    return FridoError(key or "the command line", got=typed, wanted=wanted, do=do)
