"""Boxes of CLEVR's objects, derived from where they are in space: its files hold none."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from frido.contracts.geometry import Box, clipped

FOCAL = 35 / 32
"""Of CLEVR's camera, as a fraction of the image's width: a lens of 35 mm before a sensor of 32 mm (Blender's)."""

ELEVATION = math.radians(28)
"""Of the camera over the ground before each scene moves it a little."""

TRUST = 0.1
"""What the camera's unmoved direction weighs against the objects, whose squared distances are about 10."""

ROUND = 0.95
"""How far the rounded edges of CLEVR's cube and cylinder reach, in units of their nominal half sides; measured."""

_AROUND = np.linspace(0, 2 * math.pi, 32, endpoint=False)
CORNERS = {
    "cube": ROUND * np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]),
    "cylinder": ROUND * np.array([(math.cos(a), math.sin(a), z) for a in _AROUND for z in (-1, 1)]),
}
"""Outermost points of shapes of radius 1, by which their silhouettes are found."""


def boxes_of(record: Mapping[str, Any], width: int, height: int) -> list[Box]:
    """Return the box of every object of a scene, hidden parts included, cut at the image's borders.

    An object's radius is its height over the ground (`3d_coords`). Its centre in the image and its depth are given
    (`pixel_coords`, to a pixel); how the camera is turned is fitted to all objects, since `directions` tell what it
    was before the scene moved it. Boxes fit the drawn shapes to 1 or 2 pixels of 320. Other shapes than CLEVR's
    sphere, cube and cylinder are taken for discs that face the camera.

    Args:
        record: A scene of CLEVR's JSON.
        width: Of the image, pixels.
        height: Of the image, pixels.
    """
    items = record["objects"]
    if not items:
        return []
    focal = FOCAL * width
    across, down, depth = np.array([item["pixel_coords"] for item in items], dtype=np.float64).T
    seen = np.stack([(across - width / 2) / focal * depth, (down - height / 2) / focal * depth, depth], axis=1)
    turn = _camera(record["directions"], np.array([item["3d_coords"] for item in items]), seen)
    boxes = []
    for item, centre in zip(items, seen, strict=True):
        columns, rows = _outline(item, centre, turn)
        left, right = (float(focal * slope / width + 0.5) for slope in columns)
        top, bottom = (float(focal * slope / height + 0.5) for slope in rows)
        boxes.append(clipped((left, top, right, bottom)))
    return boxes


def _camera(directions: Mapping[str, Any], places: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the rotation from the world's axes to the camera's (right, down, forward), float64 `(3, 3)`.

    The one that fits places in the world to those seen best (Kabsch's algorithm), and where these leave it open,
    as one object does, that of the directions.

    Args:
        directions: Unit vectors on the ground, and "above".
        places: `(objects, 3)`, in the world.
        seen: `(objects, 3)`, from the camera.
    """
    right, behind, above = (np.array(directions[name]) for name in ("right", "behind", "above"))
    rise, run = math.sin(ELEVATION), math.cos(ELEVATION)
    unmoved = np.stack([right, -rise * behind - run * above, run * behind - rise * above])
    left, _, rightmost = np.linalg.svd((seen - seen.mean(0)).T @ (places - places.mean(0)) + TRUST * unmoved)
    turned: np.ndarray = left @ np.diag([1, 1, np.linalg.det(left @ rightmost)]) @ rightmost
    return turned


def _outline(item: Mapping[str, Any], centre: np.ndarray, turn: np.ndarray) -> tuple[Any, Any]:
    """Return the least and greatest slope across and down under which an object is seen."""
    radius = item["3d_coords"][2]
    if item["shape"] == "sphere":
        return _tangents(centre[0], centre[2], radius), _tangents(centre[1], centre[2], radius)
    if item["shape"] in CORNERS:
        angle = item["rotation"]  # called degrees in the files, and used as radians by the official renderer
        ahead, aside = math.cos(angle), math.sin(angle)
        spin = np.array([(ahead, -aside, 0), (aside, ahead, 0), (0, 0, 1)])
        points = centre + radius * CORNERS[item["shape"]] @ spin.T @ turn.T
        slopes = points[:, :2] / points[:, 2:]
        return (slopes[:, 0].min(), slopes[:, 0].max()), (slopes[:, 1].min(), slopes[:, 1].max())
    slopes = np.array([[-radius], [radius]]) + centre[:2]
    slopes /= centre[2]
    return slopes[:, 0], slopes[:, 1]


def _tangents(aside: float, depth: float, radius: float) -> tuple[float, float]:
    """Return the slopes of the two tangents from the camera to a circle at `(aside, depth)`."""
    middle, half = math.atan2(aside, depth), math.asin(min(1.0, radius / math.hypot(aside, depth)))
    return math.tan(middle - half), math.tan(middle + half)
