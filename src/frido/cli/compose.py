"""Command line overrides in, one plain dict out. Hydra's own refusals come out in our form."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frido.cli.options import config_dir
from frido.cli.refusals import grammar, refuse_early, translated
from frido.cli.suggest import key_and_value


def compose(primary: str, overrides: Sequence[str], *, directory: Path | None = None) -> dict[str, Any]:
    """Return the configuration `primary` with `overrides` applied and every interpolation resolved.

    Missing values stay `"???"`; `frido.cli.schema.check` names them. Nothing is built or imported.

    Args:
        primary: Name of a file of the configuration folder, without `.yaml`.
        overrides: In Hydra's grammar: `seed=3`, `denoiser=pyunet`, `denoiser.width=64`.
        directory: The configuration folder, if not Frido's own.
    """
    directory = directory or config_dir()
    refuse_early(primary, overrides, directory)
    with translated(primary, overrides, directory):
        return raw(primary, overrides, directory)


def raw(primary: str, overrides: Sequence[str], directory: Path) -> dict[str, Any]:
    """Return the same as `compose`, with the libraries' own exceptions."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(config_dir=str(directory.resolve()), version_base="1.3"):
        config = hydra_compose(config_name=primary, overrides=list(overrides))
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def recipe(overrides: Sequence[str]) -> str:
    """Return the name of the recipe that `overrides` choose; `"main"` for the main job."""
    chosen = dict(key_and_value(override) for override in overrides)
    return chosen.get("experiment") or "main"


def parsed(override: str) -> Any:
    """Return the value of one override as a plain Python value: `"stages=[sample]"` gives `["sample"]`."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(override).value()
    except HydraException as error:
        raise grammar(override, str(error)) from error
