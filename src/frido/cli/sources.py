"""Python modules as text: where they lie and what their names mean, without importing them."""

import ast
import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple


class Module(NamedTuple):
    """A parsed source file. `names` maps a top-level name to the statement that binds it, the last one winning."""

    name: str
    path: Path
    names: dict[str, ast.stmt]
    stars: tuple[str, ...]
    """Modules of `from ... import *`."""


@lru_cache
def module_file(name: str) -> Path | None:
    """Return the source file of a module, or `None`; only folders are looked at, nothing is imported."""
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top) if all(part.isidentifier() for part in (top, *rest)) else None
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") and not rest else None
    for location in spec.submodule_search_locations:
        place = Path(location, *rest)
        for file in (place / "__init__.py", place.with_suffix(".py") if rest else place / "__init__.py"):
            if file.is_file():
                return file
    return None


@lru_cache
def module(name: str) -> Module:
    """Parse the module called `name`, which must have a source file."""
    path = module_file(name)
    assert path is not None, f"{name} has no source file"
    names: dict[str, ast.stmt] = {}
    stars: list[str] = []
    for statement in _statements(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(statement, ast.ImportFrom):
            if statement.names[0].name == "*":
                stars.append(imported_from(statement, name, path))
            names |= {alias.asname or alias.name: statement for alias in statement.names}
        elif isinstance(statement, ast.Import):
            names |= {alias.asname or alias.name.partition(".")[0]: statement for alias in statement.names}
        elif isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            names |= {target.id: statement for target in statement.targets if isinstance(target, ast.Name)}
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names[statement.target.id] = statement
    return Module(name, path, names, tuple(stars))


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            yield from _statements([*statement.body, *statement.orelse])
        else:
            yield statement


def imported_from(statement: ast.ImportFrom, name: str, path: Path) -> str:
    """Return the absolute name of the module that `statement`, standing in module `name`, imports from."""
    if not statement.level:
        return statement.module or ""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    return ".".join([*package[: len(package) - statement.level + 1], *([statement.module] if statement.module else [])])


class Definition(NamedTuple):
    """A class, function or alias, and the module that it is written in."""

    module: Module
    node: ast.stmt


def look_up(home: Module, name: str) -> Definition | None:
    """Return what `name` means at the top of `home`, following `from x import y` to its source."""
    statement = home.names.get(name)
    if statement is None:
        for star in home.stars:
            if module_file(star) and (found := look_up(module(star), name)):
                return found
        return None
    if isinstance(statement, ast.ImportFrom):
        source = imported_from(statement, home.name, home.path)
        original = next(alias.name for alias in statement.names if (alias.asname or alias.name) == name)
        if source != home.name and module_file(source):
            return look_up(module(source), original)
        return None
    return None if isinstance(statement, ast.Import) else Definition(home, statement)


def absolute(home: Module, expression: ast.expr) -> str:
    """Return the dotted name of a Name or Attribute as seen in `home`: `nn.Module` is `torch.nn.Module`."""
    first, _, rest = ast.unparse(expression).partition(".")
    statement = home.names.get(first)
    if isinstance(statement, ast.ImportFrom):
        original = next(alias.name for alias in statement.names if (alias.asname or alias.name) == first)
        first = f"{imported_from(statement, home.name, home.path)}.{original}"
    elif isinstance(statement, ast.Import):
        first = next((alias.name for alias in statement.names if alias.asname == first), first)
    elif statement is not None:
        first = f"{home.name}.{first}"
    return f"{first}.{rest}" if rest else first


def resolve(dotted: str) -> Definition | None:
    """Return the definition behind a dotted name such as `torch.optim.AdamW`, or `None`."""
    parts = dotted.split(".")
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        if module_file(name):
            # One name after the module: a class or a function. Attributes of these are no targets.
            return look_up(module(name), parts[length]) if length == len(parts) - 1 else None
    return None
