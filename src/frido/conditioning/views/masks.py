"""Random masks: rectangles and free-form strokes, as functions of a key."""

from collections.abc import Sequence

import numpy as np

from frido.contracts import rng
from frido.contracts.errors import FridoError


class Masks:
    """Where an image is hidden: the union of rectangles and of thick, winding strokes.

    All lengths are shares of the image's side, so a key gives the same mask at every resolution, up to pixels. (LDM's
    masks follow LaMa; its training code was not released, and neither were its numbers. These are ours.)

    Args:
        seed: Of all masks.
        rectangles: Fewest and most of them.
        rectangle_sides: Shortest and longest side.
        strokes: Fewest and most of them.
        stroke_widths: Thinnest and thickest.
        stroke_turns: Fewest and most straight parts of a stroke.
        stroke_steps: Shortest and longest straight part.

    Raises:
        FridoError: Something that is no pair of a smaller and a larger number of 0 or more.
    """

    def __init__(
        self,
        *,
        seed: int,
        rectangles: list[int],
        rectangle_sides: list[float],
        strokes: list[int],
        stroke_widths: list[float],
        stroke_turns: list[int],
        stroke_steps: list[float],
    ) -> None:
        ranges: dict[str, Sequence[float]] = {
            "rectangles": rectangles,
            "rectangle_sides": rectangle_sides,
            "strokes": strokes,
            "stroke_widths": stroke_widths,
            "stroke_turns": stroke_turns,
            "stroke_steps": stroke_steps,
        }
        for name, pair in ranges.items():
            if len(pair) != 2 or not 0 <= pair[0] <= pair[1] <= (1 if "side" in name else pair[1]):
                raise FridoError(
                    f"view.masks.{name}",
                    got=pair,
                    wanted="two numbers of 0 or more, the smaller one first; sides up to 1",
                    do=f"view.masks.{name}=[{'0.1,0.3' if isinstance(pair[0], float) else '1,3'}]",
                )
        self.seed = seed
        self.rectangles, self.rectangle_sides = rectangles, rectangle_sides
        self.strokes, self.stroke_widths = strokes, stroke_widths
        self.stroke_turns, self.stroke_steps = stroke_turns, stroke_steps

    def draw(self, key: int, height: int, width: int) -> np.ndarray:
        """Return bool `(height, width)`, True where the image of `key` is hidden."""
        random = rng.generator(self.seed, key, "view/mask")
        down = ((np.arange(height) + 0.5) / height)[:, None]
        across = ((np.arange(width) + 0.5) / width)[None]
        hidden = np.zeros((height, width), bool)
        for _ in range(_whole(random, self.rectangles)):
            sides = random.uniform(self.rectangle_sides[0], self.rectangle_sides[1], size=2)
            left, top = random.uniform(0, 1, size=2) * (1 - sides)
            hidden |= (left <= across) & (across < left + sides[0]) & (top <= down) & (down < top + sides[1])
        for _ in range(_whole(random, self.strokes)):
            hidden |= self._stroke(random, across, down)
        return hidden

    def _stroke(self, random: np.random.Generator, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Return where a chain of straight parts, each turned from the last by at most a right angle, is near."""
        radius = _between(random, self.stroke_widths) / 2
        start, angle = random.uniform(0, 1, size=2), random.uniform(0, 2 * np.pi)
        near = np.zeros(np.broadcast_shapes(across.shape, down.shape), bool)
        for _ in range(_whole(random, self.stroke_turns)):
            along = _between(random, self.stroke_steps) * np.array([np.cos(angle), np.sin(angle)])
            x, y = across - start[0], down - start[1]
            place = ((x * along[0] + y * along[1]) / max(along @ along, 1e-12)).clip(0, 1)  # of the nearest point
            near |= (x - place * along[0]) ** 2 + (y - place * along[1]) ** 2 <= radius**2
            start, angle = (start + along).clip(0, 1), angle + random.uniform(-np.pi / 2, np.pi / 2)
        return near


def _whole(random: np.random.Generator, ends: list[int]) -> int:
    return int(random.integers(ends[0], ends[1], endpoint=True))


def _between(random: np.random.Generator, ends: list[float]) -> float:
    return float(random.uniform(ends[0], ends[1]))
