"""A recipe as it is stored with what it made."""

from collections.abc import Mapping
from typing import Any

from frido.data.filters.base import Filter


def described(filters: Mapping[str, Filter]) -> list[dict[str, Any]]:
    """Return, in their order, the filters as plain JSON types: name, class and public attributes.

    A filter keeps what its constructor was given as public attributes, paths without their folders, and what it
    learns or computes as private ones.
    """
    return [
        {
            "name": name,
            "filter": type(step).__name__,
            **{key: _plain(value) for key, value in vars(step).items() if not key.startswith("_")},
        }
        for name, step in filters.items()
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
