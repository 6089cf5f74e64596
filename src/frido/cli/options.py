"""The menu: what the configuration folder offers. Reads file names and first comment lines only."""

from pathlib import Path

import frido
from frido.contracts.errors import FridoError

RECIPES = ("experiment", "study")
"""Groups of whole runs; everything else swaps one part."""


def config_dir() -> Path:
    """Return the configuration folder: inside an installed package, beside `src` in a checkout."""
    package = Path(frido.__path__[0])
    for folder in (package / "conf", package.parent.parent / "conf"):
        if (folder / "run.yaml").is_file():
            return folder
    raise FridoError(
        "the configuration folder",
        got=f"no run.yaml in {package / 'conf'} or {package.parent.parent / 'conf'}",
        wanted="the conf/ folder that Frido comes with",
        do="install Frido again: pip install .",
    )


def groups(directory: Path) -> dict[str, list[str]]:
    """Return the options of every group, both sorted: `{"denoiser/gate": ["concat", "spade"]}`.

    Recipes may lie in folders of their own; all of `experiment/` is one group, of options like `gating/spade`.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(directory.rglob("*.yaml")):
        folders = path.relative_to(directory).with_suffix("").parts
        if len(folders) > 1:
            depth = 1 if folders[0] in RECIPES else len(folders) - 1
            found.setdefault("/".join(folders[:depth]), []).append("/".join(folders[depth:]))
    return found


def headline(path: Path, label: str = "") -> str:
    """Return the first comment of a YAML file that starts with `label`, without it; empty where there is none."""
    for line in path.read_text().splitlines():
        if line.startswith("#") and not line.startswith("# @package"):
            comment = line.lstrip("# ").rstrip()
            if comment.startswith(label):
                return comment.removeprefix(label).strip()
    return ""
