"""Two `.safetensors` files against each other, without torch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
         "U8": "<u1", "BOOL": "<u1"}  # fmt: skip


def differences(one: Path, other: Path) -> Iterator[str]:
    """Yield a sentence for every tensor that is not the same in both files.

    The format (huggingface/safetensors): the length of a header (8 bytes, little-endian), the header in JSON with type,
    shape and place of every tensor, their bytes.
    """
    (told, content), (other_told, other_content) = _parts(one), _parts(other)
    for name in dict.fromkeys([*told, *other_told]):
        if name not in told or name not in other_told:
            yield f"{name}: only in {one if name in told else other}"
            continue
        mine, theirs = told[name], other_told[name]
        if name == "__metadata__" or mine["dtype"] not in TYPES or _kind(mine) != _kind(theirs):
            if mine != theirs:
                yield f"{name}: {_kind(mine)} against {_kind(theirs)}"
            continue
        first, second = _bytes(mine, content), _bytes(theirs, other_content)
        if first != second:
            yield f"{name}: {_told(_array(mine, first), _array(theirs, second))}"


def _parts(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), content[start:]


def _kind(tensor: dict[str, Any]) -> Any:
    return (tensor["dtype"], tensor["shape"]) if "dtype" in tensor else tensor


def _bytes(tensor: dict[str, Any], content: bytes) -> bytes:
    start, end = tensor["data_offsets"]
    return content[start:end]


def _array(tensor: dict[str, Any], content: bytes) -> np.ndarray:
    array = np.frombuffer(content, TYPES[tensor["dtype"]]).reshape(tensor["shape"])
    if tensor["dtype"] == "BF16":  # the upper half of a float32
        array = (array.astype("<u4") << 16).view("<f4")
    return array


def _told(one: np.ndarray, other: np.ndarray) -> str:
    unequal = ~((one == other) | (np.isnan(one) & np.isnan(other)) if one.dtype.kind == "f" else one == other)
    if not unequal.any():
        return "other bytes of equal value (the sign of a zero, or the kind of a NaN)"
    with np.errstate(invalid="ignore", over="ignore"):
        most = np.abs(one.astype("f8") - other.astype("f8"))[unequal].max()
    first = tuple(int(index) for index in np.argwhere(unequal)[0])
    place = f"at {list(first)}" if first else "it is"
    return (
        f"{int(unequal.sum())} of {unequal.size} elements, by at most {most:.3g}; "
        f"first {place}: {one[first]!s} against {other[first]!s}"
    )
