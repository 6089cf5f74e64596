"""What a constructor takes, read from its source: importing torch and timm would cost seconds."""

import ast
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from frido.cli import sources
from frido.cli.sources import Definition, Module


class Parameter(NamedTuple):
    """One argument of a constructor; `home` is the module in which its annotation is written."""

    name: str
    annotation: ast.expr | None
    required: bool
    home: Module

    @property
    def type(self) -> str:
        return ast.unparse(self.annotation) if self.annotation else "anything"


class Signature(NamedTuple):
    """The arguments of a class or function. `open` is true when it takes `**anything` besides."""

    target: str
    parameters: dict[str, Parameter]
    open: bool
    file: Path


class UnknownTargetError(Exception):
    """Nothing is defined under a dotted name; `known` are the names its module does define."""

    def __init__(self, target: str, known: list[str]) -> None:
        self.target, self.known = target, known
        super().__init__(f"{target} is not defined")


@lru_cache
def read(target: str) -> Signature:
    """Return the signature of the class or function `target`; raise `UnknownTargetError`."""
    found = sources.resolve(target)
    if found is None or found.module.name.partition(".")[0] != target.partition(".")[0]:
        # Also names that a module merely imported from elsewhere: `frido.x.os.system` is no target.
        raise UnknownTargetError(target, _neighbours(target))
    if isinstance(found.node, ast.FunctionDef):
        parameters, takes_anything = _arguments(found.node, found.module, bound=False)
    elif isinstance(found.node, ast.ClassDef):
        parameters, takes_anything = _constructor(found) or ({}, False)
    else:
        raise UnknownTargetError(target, _neighbours(target))
    return Signature(target, parameters, takes_anything, found.module.path)


def _neighbours(target: str) -> list[str]:
    """Return full names near a target that does not exist: its module's, or its package's."""
    name, _, _ = target.rpartition(".")
    while name and not sources.module_file(name):
        name = name.rpartition(".")[0]
    file = sources.module_file(name) if name else None
    if file is None:
        return []
    is_package = file.name == "__init__.py"
    kinds = (ast.ClassDef, ast.FunctionDef, *([ast.ImportFrom] if is_package else []))
    names = [key for key, node in sources.module(name).names.items() if isinstance(node, kinds)]
    full = [f"{name}.{key}" for key in names if not key.startswith("_")]
    if is_package and name.startswith("frido."):
        for path in sorted(file.parent.glob("[a-z]*.py")):
            inside = sources.module(f"{name}.{path.stem}").names
            full += [f"{name}.{path.stem}.{key}" for key, node in inside.items() if isinstance(node, ast.ClassDef)]
    return full


def _constructor(definition: Definition) -> tuple[dict[str, Parameter], bool] | None:
    """Return the constructor of a class or of the nearest base that has one; `None` for plain `object`s."""
    home, node = definition
    assert isinstance(node, ast.ClassDef)
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _arguments(statement, home, bound=True)
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    if _is_dataclass(node) or any(ast.unparse(base).endswith("NamedTuple") for base in bases):
        return _fields(definition), False
    for base in bases:
        found = _base(base, home)
        if found and (constructor := _constructor(found)) is not None:
            return constructor
    return None


def _base(expression: ast.expr, home: Module) -> Definition | None:
    name = sources.absolute(home, expression)
    if name in {"torch.nn.Module", "torch.nn.modules.module.Module"}:  # takes nothing; its source is long
        return None
    found = sources.resolve(name)
    return found if found and isinstance(found.node, ast.ClassDef) else None


def _is_dataclass(node: ast.ClassDef) -> bool:
    names = [decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list]
    return any(ast.unparse(name).rpartition(".")[2] == "dataclass" for name in names)


def _fields(definition: Definition) -> dict[str, Parameter]:
    """Return the fields of a dataclass or NamedTuple, inherited dataclass fields first."""
    home, node = definition
    assert isinstance(node, ast.ClassDef)
    found: dict[str, Parameter] = {}
    for base in reversed(node.bases):
        parent = _base(base, home)
        if parent and isinstance(parent.node, ast.ClassDef) and _is_dataclass(parent.node):
            found |= _fields(parent)
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if "ClassVar" in ast.unparse(statement.annotation):
                continue
            name, options = statement.target.id, _field_options(statement.value)
            if options.get("init") == "False":
                continue
            required = statement.value is None or (
                options != {} and not options.keys() & {"default", "default_factory"}
            )
            found[name] = Parameter(name, statement.annotation, required, home)
    return found


def _field_options(value: ast.expr | None) -> dict[str, str]:
    """Return the keywords of `field(...)` as source text; empty for any other default."""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] == "field"):
        return {}
    return {"": ""} | {keyword.arg: ast.unparse(keyword.value) for keyword in value.keywords if keyword.arg}


def _arguments(node: ast.FunctionDef, home: Module, *, bound: bool) -> tuple[dict[str, Parameter], bool]:
    positional = [*node.args.posonlyargs, *node.args.args]
    first_default = len(positional) - len(node.args.defaults)
    required = {argument.arg: place < first_default for place, argument in enumerate(positional)}
    required |= {a.arg: default is None for a, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)}
    everything = [*positional[1 if bound else 0 :], *node.args.kwonlyargs]
    parameters = {a.arg: Parameter(a.arg, a.annotation, required[a.arg], home) for a in everything}
    return parameters, node.args.kwarg is not None
