"""The house stands as drawn: floors, empty porches, light rooms, and a README that shows them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import frido

PACKAGE = Path(frido.__path__[0])
ROOT = PACKAGE.parent.parent
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))


def test_package_is_empty():
    assert (PACKAGE / "__init__.py").read_text().strip() == ""


@pytest.mark.parametrize(
    "module",
    [
        *("frido.report", "frido.report.__main__", "frido.contracts.scene", "frido.contracts.errors"),
        *("frido.contracts.atomic", "frido.run", "frido.cli.worker"),
    ],
)
def test_light_modules_import_no_torch(module):
    code = f"import sys, {module}; heavy = {{'torch', 'timm', 'wandb'}} & set(sys.modules); assert not heavy, heavy"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_rooms_depend_downwards_only():
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_room_postpones_its_annotations():
    late = [path for path in PACKAGE.rglob("*.py") if "from __future__ import annotations" in path.read_text()]
    assert not late, "jaxtyping checks nothing there"


def test_only_build_instantiates():
    callers = [path.name for path in PACKAGE.rglob("*.py") if re.search(r"\binstantiate\(", path.read_text())]
    assert callers == ["build.py"]


def test_readme_shows_every_room():
    tree = re.search(r"^src/frido/\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert tree, "README.md has no tree of src/frido/"
    assert sorted(re.findall(r"^  ([a-z_]+)/ +\S", tree[1], re.MULTILINE)) == ROOMS
    for folder in re.findall(r"^([a-z_]+)/ +\S", tree[1], re.MULTILINE):
        assert (ROOT / folder).is_dir(), f"README.md shows {folder}/"
