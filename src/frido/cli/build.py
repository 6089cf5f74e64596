"""Configuration in, objects out. The only caller of Hydra's `instantiate`."""

from collections.abc import Iterator
from typing import Any

from frido.cli import schema
from frido.cli.values import is_node
from frido.contracts.errors import FridoError


def build(node: Any, **runtime: Any) -> Any:
    """Return what `node` describes, built from the inside out, lists and mappings of nodes included.

    A `_partial_` node comes back as a callable that waits for its remaining arguments. With `runtime` arguments
    it is called with them at once; these objects reach the constructor as they are, never copied, so several
    nodes can share one. (An interpolated `${node}` would be built twice.)

    Raises:
        FridoError: For a target outside the allow-list, or from a constructor.
    """
    for place, inner in _nodes("", node):
        schema.target_of(place or "the node", inner)
    if not is_node(node):
        assert not runtime, "only one object takes arguments"
        if isinstance(node, dict):
            return {key: build(value) for key, value in node.items()}
        return [build(value) for value in node] if isinstance(node, list) else node
    if runtime:
        return _instantiate({**node, "_partial_": True})(**runtime)
    return _instantiate(node)


def _instantiate(node: dict[str, Any]) -> Any:
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None:  # a constructor's own words, not the wrapping
            if isinstance(cause, FridoError):
                raise cause from None
            cause = cause.__cause__
        raise


def _nodes(place: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every node in `value` with its place."""
    if is_node(value):
        yield place, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _nodes(f"{place}.{key}".lstrip("."), inner)
