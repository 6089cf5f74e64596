"""What somebody may have meant: the keys, groups and settings that exist, and those nearest to a wrong one."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.contracts.errors import nearest


def key_and_value(override: str) -> tuple[str, str]:
    """Split `+a.b=c` into `("a.b", "c")`."""
    key, _, value = override.partition("=")
    return key.strip().lstrip("+~"), value.strip()


def menu(known: Sequence[str], *, most: int = 24) -> str:
    """Return a list of names for a sentence."""
    shown = ", ".join(known[:most])
    return shown + (f" and {len(known) - most} more" if len(known) > most else "") if known else "nothing"


def keys_of_groups(primary: str, directory: Path) -> list[str]:
    """Return the groups of the primary's defaults list as they are typed: `training@training.denoiser`.

    After each come those that its option mounts in turn: `learning_rate@training.denoiser.schedule`.
    """
    return list(_mounted(directory / f"{primary}.yaml", "", directory))


def _mounted(file: Path, place: str, directory: Path) -> Iterator[str]:
    """Yield the groups that `file` lists; of an option, whose place is given, those that it mounts elsewhere."""
    for name, option in _defaults(file):
        group, _, within = name.removeprefix("/").partition("@")
        if place and not (name.startswith("/") and within):
            continue
        inside = f"{place}.{within}".strip(".").removesuffix("._here_")
        yield f"{group}@{inside}" if within else group
        yield from _mounted(directory / group / f"{option}.yaml", inside or group.replace("/", "."), directory)


def _defaults(file: Path) -> list[tuple[str, str]]:
    """Return the groups and options in a file's defaults list."""
    import yaml

    if not file.is_file():
        return []
    defaults = (yaml.safe_load(file.read_text()) or {}).get("defaults", [])
    return [(str(name), str(option)) for entry in defaults if isinstance(entry, dict) for name, option in entry.items()]


def suggestions(key: str, config: Mapping[str, Any]) -> list[str]:
    """Return up to three existing settings that `key` may have meant: same parent first, then same last word."""
    parent, place = deepest(key, config)
    wrong = key.removeprefix(place).lstrip(".").partition(".")[0]
    rest = key.removeprefix(place).lstrip(".").partition(".")[2]
    close = [".".join(filter(None, (place, name))) for name in nearest(wrong, list(parent))]
    close = [f"{name}.{rest}" if rest else name for name in close]
    everything = list(_paths(config))
    elsewhere = [path for path in everything if path.rpartition(".")[2] == key.rpartition(".")[2]]
    existing = [path for path in close if path in everything]
    return [*existing, *(path for path in elsewhere if path not in existing)][:3] or nearest(key, everything)


def deepest(key: str, config: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return the last mapping on the way along `key`, and its path."""
    node: Any = config
    walked: list[str] = []
    for name in key.split("."):
        if not isinstance(node, Mapping) or name not in node:
            break
        node = node[name]
        walked.append(name)
    return (node if isinstance(node, Mapping) else {}), ".".join(walked)


def _paths(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        if not str(key).startswith("_"):
            yield f"{prefix}{key}"
            if isinstance(value, Mapping):
                yield from _paths(value, f"{prefix}{key}.")


def unresolved(primary: str, overrides: Sequence[str], directory: Path) -> dict[str, Any]:
    """Return the configuration for suggestions only: uninterpolated; empty where it does not compose either."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    for attempt in (list(overrides), []):
        try:
            with initialize_config_dir(config_dir=str(directory.resolve()), version_base="1.3"):
                plain = OmegaConf.to_container(hydra_compose(config_name=primary, overrides=attempt))
        except (HydraException, ValueError):
            continue
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items()}
    return {}
