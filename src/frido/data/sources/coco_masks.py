"""COCO's three ways to write which pixels an annotation covers."""

import warnings
from typing import Any

import numpy as np
from pycocotools import mask

from frido.contracts.errors import FridoError


def pixels(segmentation: Any, width: int, height: int, where: str) -> np.ndarray:
    """Return a mask `(height, width)` of bools.

    Args:
        segmentation: A list of polygons (x, y, x, y, ... in pixels), or a run-length code with the image's size and
            with its counts as numbers or packed into a string.
        width: Of the image, pixels.
        height: Of the image, pixels.
        where: Names the annotation in errors.

    Raises:
        FridoError: It is none of these, or belongs to an image of another size.
    """
    try:
        codes = _codes(segmentation, width, height)
        decoded = _decoded(codes) if codes else np.zeros((height, width), np.uint8)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise _unreadable(where, f"{type(error).__name__}: {error}", width, height) from None
    if decoded.shape != (height, width):
        raise _unreadable(where, f"a mask of {decoded.shape[1]} x {decoded.shape[0]} pixels", width, height)
    return np.asarray(decoded, dtype=bool)


def _codes(segmentation: Any, width: int, height: int) -> list[Any]:
    if isinstance(segmentation, list):
        polygons = [polygon for polygon in segmentation if len(polygon) >= 6]  # shorter ones enclose nothing
        return mask.frPyObjects(polygons, height, width) if polygons else []
    counts, size = segmentation["counts"], segmentation["size"]
    if size != [height, width]:
        raise ValueError(f"size {size}, height first")
    if isinstance(counts, str):
        return [{"counts": counts.encode(), "size": size}]
    if sum(counts) != height * width:
        raise ValueError(f"runs of {sum(counts)} pixels together")
    return [mask.frPyObjects(segmentation, height, width)]


def _decoded(codes: list[Any]) -> np.ndarray:
    with warnings.catch_warnings():
        # pycocotools 2.0.11 hands its array to NumPy 2.4 in a way that a later NumPy will refuse
        warnings.filterwarnings("ignore", "__array__", DeprecationWarning)
        return np.asarray(mask.decode(mask.merge(codes)))


def _unreadable(where: str, got: str, width: int, height: int) -> FridoError:
    return FridoError(where, got=got, wanted=f"pixels of the {width} x {height} image", do="fetch the file again")


def centre(covered: np.ndarray, box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return the mean `(x, y)` of the covered pixels as fractions of the image; the middle of `box` where none is."""
    height, width = covered.shape
    total = int(covered.sum())
    if not total:
        return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    x = float(covered.sum(axis=0) @ (np.arange(width) + 0.5)) / total / width
    y = float(covered.sum(axis=1) @ (np.arange(height) + 0.5)) / total / height
    return x, y
