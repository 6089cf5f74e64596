"""The words of the procedural scenes and what they look like."""

import math

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "cyan", "white")
SIZES = ("small", "large")
SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond")
TEXTURES = ("solid", "striped", "checked", "dotted")

RGB = {
    "red": (216, 30, 36),
    "green": (34, 158, 46),
    "blue": (36, 66, 222),
    "yellow": (248, 220, 32),
    "purple": (150, 44, 190),
    "orange": (250, 128, 10),
    "cyan": (30, 206, 216),
    "white": (244, 244, 244),
}

DIAMETERS = {"small": (0.0, 0.28), "large": (0.36, 1.0)}
"""What the size words mean, as fractions of the image's side. The gap keeps the words apart by eye."""


def _star() -> tuple[tuple[float, float], ...]:
    radii = (1.05, 0.46)
    corners = [(radii[k % 2], math.pi * k / 5) for k in range(10)]
    return tuple((r * math.sin(angle), 0.05 - r * math.cos(angle)) for r, angle in corners)


_ARM = 0.34

OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "square": ((-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)),
    "triangle": ((0.0, -0.92), (1.0, 0.84), (-1.0, 0.84)),
    "star": _star(),
    "cross": (
        *((-_ARM, -1.0), (_ARM, -1.0), (_ARM, -_ARM), (1.0, -_ARM), (1.0, _ARM), (_ARM, _ARM)),
        *((_ARM, 1.0), (-_ARM, 1.0), (-_ARM, _ARM), (-1.0, _ARM), (-1.0, -_ARM), (-_ARM, -_ARM)),
    ),
    "diamond": ((0.0, -1.0), (0.7, 0.0), (0.0, 1.0), (-0.7, 0.0)),
}
"""Polygons in units of the radius, y downwards; the circle is the one shape without corners."""
