"""Does a plain value fit an annotation? Simple types exactly; for an object, a node that builds one."""

import ast
from typing import Any

from frido.cli import sources
from frido.cli.sources import Module

SEQUENCES = {"list", "List", "Sequence", "Iterable", "Collection", "set", "frozenset"}
MAPPINGS = {"dict", "Dict", "Mapping", "MutableMapping"}
ANYTHING = {"Any", "object", "anything"}


def is_node(value: Any) -> bool:
    """Say whether `value` describes an object to build."""
    return isinstance(value, dict) and "_target_" in value


def fits(value: Any, annotation: ast.expr | None, home: Module) -> bool:
    """Say whether `value` may be given for `annotation`, as written in the module `home`.

    A bool is no int, an int is a float, a text is a path, a list is a tuple. Classes want a node; what cannot
    be made out without importing (types of other packages) fits anything.
    """
    if annotation is None:
        return True
    if isinstance(annotation, ast.Constant):
        if isinstance(annotation.value, str):
            return fits(value, ast.parse(annotation.value, mode="eval").body, home)
        return annotation.value is Ellipsis or value is None
    if isinstance(annotation, ast.BinOp):
        return fits(value, annotation.left, home) or fits(value, annotation.right, home)
    if isinstance(annotation, ast.Subscript):
        return _fits_subscript(value, annotation, home)
    return _fits_name(value, annotation, home)


def _fits_subscript(value: Any, annotation: ast.Subscript, home: Module) -> bool:
    outer = ast.unparse(annotation.value).rpartition(".")[2]
    inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    if outer == "Literal":
        allowed = [ast.literal_eval(choice) for choice in inner]
        return any(value == choice and type(value) is type(choice) for choice in allowed)
    if outer == "Optional":
        return value is None or fits(value, inner[0], home)
    if outer == "Union":
        return any(fits(value, choice, home) for choice in inner)
    if outer in {"Annotated", "Final"}:
        return fits(value, inner[0], home)
    if outer in SEQUENCES:
        return isinstance(value, list) and all(fits(item, inner[0], home) for item in value)
    if outer in {"tuple", "Tuple"}:
        if not isinstance(value, list):
            return False
        if isinstance(inner[-1], ast.Constant) and inner[-1].value is Ellipsis:
            return all(fits(item, inner[0], home) for item in value)
        return len(value) == len(inner) and all(fits(v, kind, home) for v, kind in zip(value, inner, strict=True))
    if outer in MAPPINGS:
        return (
            isinstance(value, dict)
            and not is_node(value)
            and all(fits(key, inner[0], home) and fits(item, inner[1], home) for key, item in value.items())
        )
    return _fits_name(value, annotation.value, home)


def _fits_name(value: Any, annotation: ast.expr, home: Module) -> bool:
    name = ast.unparse(annotation).rpartition(".")[2]
    if name in ANYTHING:
        return True
    if name == "float":
        return type(value) in (int, float)
    if name in {"int", "bool", "str"}:
        return type(value).__name__ == name
    if name in {"Path", "PathLike"}:
        return isinstance(value, str)
    if name in SEQUENCES | {"tuple", "Tuple"}:
        return isinstance(value, list)
    if name in MAPPINGS:
        return isinstance(value, dict) and not is_node(value)
    if name in {"Callable", "Tensor", "Module"}:
        return is_node(value)
    return _fits_defined(value, annotation, home)


def _fits_defined(value: Any, annotation: ast.expr, home: Module) -> bool:
    """Decide for a name that the module defines or imports: an alias is followed, a class wants a node."""
    if home.name.startswith("torch."):  # its aliases lead far; its constructors check their arguments themselves
        return True
    found = sources.look_up(home, ast.unparse(annotation)) if isinstance(annotation, ast.Name) else None
    if found is None:
        return True
    if isinstance(found.node, ast.Assign | ast.AnnAssign) and found.node.value is not None:
        alias = found.node.value
        return isinstance(alias, ast.Call) or fits(value, alias, found.module)  # a call: a TypeVar or NewType
    return is_node(value) if isinstance(found.node, ast.ClassDef) else True
