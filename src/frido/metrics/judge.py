"""The scene judge: does a picture show what its scene asks for?"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from jaxtyping import UInt8
from torch import Tensor

from frido.contracts.metric import Metric, Part, Pictures
from frido.contracts.scene import Scene
from frido.metrics.derangement import derangement
from frido.metrics.finder import Finder, Found
from frido.metrics.judge_shares import Judged, by_part, judged, shares
from frido.metrics.matching import broken, known_relationships, match, wishes_of
from frido.metrics.ranks import from_all

T = TypeVar("T")


class Row(NamedTuple):
    """A scene and what was found in its generated and in its real image."""

    position: int
    scene: Scene
    generated: list[Found]
    real: list[Found]


class Judge(Metric):
    """Recall and precision of (shape, colour) objects, and the share of relationships that hold.

    Each number comes three times: bare for the generated images, `_real` for the real images of the same scenes
    (the judge's own ceiling), `_shuffled` for the generated images against the scenes of other rows (chance).
    Sums run over all objects of all scenes. Recall and precision ignore place; a relationship holds when both of
    its ends are found and the boxes found say so.

    Parts are shapes, colours, predicates, and scenes by their number of objects.

    Scenes with words that the judge does not know get no numbers at all; the card says which words.

    Args:
        threshold: Least score at which the network's find counts as an object, in (0, 1).
        weights: A file that `experiments/scene_features/train.py` wrote; `None` is the one in the package.
    """

    needs_pairs = True
    needs_scenes = True

    def __init__(self, *, threshold: float, weights: str | None = None) -> None:
        self.finder = Finder(threshold=threshold, weights=weights)
        self.seen: list[Row] = []
        self.unknown: set[str] = set()
        self.counts: dict[str, int] = {}
        self.refusal = ""
        self._parts: dict[str, Mapping[str, Part]] = {}
        self._rows: dict[int, dict[str, float]] = {}

    def update(self, *, real: Pictures, generated: Pictures, scenes: Sequence[Scene]) -> None:
        positions = generated.positions.tolist()
        assert positions == real.positions.tolist(), "real and generated images come in pairs"
        assert len(positions) == len(scenes), "rows of images and scenes belong together"
        for scene in scenes:
            self.unknown.update(self.unknown_words(scene))
        if not self.unknown:
            finds = zip(
                positions, scenes, self.finder.find(generated.images), self.finder.find(real.images), strict=True
            )
            self.seen += [Row(*find) for find in finds]

    def compute(self) -> dict[str, float]:
        rows, unknown = _gather(self.seen, self.unknown)
        self.counts = {
            "scenes": len(rows),
            "objects": sum(len(row.scene.objects) for row in rows),
            "relationships": sum(len(known_relationships(row.scene)) for row in rows),
        }
        self.refusal = _refusal(unknown, self.counts["objects"])
        self._parts, self._rows = {}, {}
        if self.refusal:
            return {}
        generated = [self._judged(row.scene, row.generated) for row in rows]
        real = [self._judged(row.scene, row.real) for row in rows]
        pairs = zip(rows, derangement([row.scene.id for row in rows]), strict=False)
        shuffled = [self._judged(rows[other].scene, row.generated) for row, other in pairs]
        numbers: dict[str, float] = {}
        for suffix, pictures in (("", generated), ("_real", real), ("_shuffled", shuffled)):
            things = [thing for picture in pictures for thing in picture]
            numbers |= _named(shares(things), suffix) if pictures else {}
            self._parts |= _named(by_part(things), suffix) if suffix != "_shuffled" else {}
        self._rows = {
            row.position: _named(shares(things)) for row, things in zip(rows, generated, strict=True) if things
        }
        return numbers

    def card(self) -> dict[str, Any]:
        return {
            "weights_sha256": self.finder.sha256,
            "threshold": self.finder.threshold,
            "shapes": self.finder.shapes,
            "colours": self.finder.colours,
            "resize": f"antialiased bilinear to {self.finder.resolution} px",
            "matching": "multisets of (shape, colour); place is no part of it",
            "relationships": "of boxes found; one whose end is missing does not hold",
            "shuffled": "each picture against the scene of another row, rows sorted by scene id and shifted",
            "counts": self.counts,
            "refused": {f"judge/{name}": self.refusal for name in NAMES} if self.refusal else {},
        }

    def parts(self) -> Mapping[str, Mapping[str, Part]]:
        return self._parts

    def rows(self) -> Mapping[int, Mapping[str, float]]:
        return self._rows

    def unknown_words(self, scene: Scene) -> list[str]:
        """Return the categories of a scene that the judge has never seen."""
        return sorted({item.category for item in scene.objects} - set(self.finder.shapes))

    def found(self, image: UInt8[Tensor, "3 height width"], scene: Scene) -> list[dict[str, Any]]:
        """Return for each object of a scene `{"object": index, "found": bool, "why": str}`.

        `why` says where the object is and which of its relationships do not hold, or what is there in its place.
        """
        found = self.finder.find(image[None])[0]
        wishes = wishes_of(scene, self.finder.colours)
        matched = match(scene, wishes, found)
        wrong = broken(scene, found, matched)
        report = []
        for i, (wish, k) in enumerate(zip(wishes, matched, strict=True)):
            if wish.shape not in self.finder.shapes:
                why = f"not judged: the judge knows no {wish.shape!r}, only {', '.join(self.finder.shapes)}"
            elif k is None:
                spare = [item.name for j, item in enumerate(found) if j not in matched]
                why = f"no {wish.name}; found besides the others: {', '.join(spare) or 'nothing'}"
            else:
                why = _where(found[k])
                ends = [(r, matched[r.subject], matched[r.object]) for r in wrong if r.subject == i]
                for relationship, _, other in ends:
                    name = wishes[relationship.object].name
                    absent = ", which is missing" if other is None else ""
                    why += f"; not {relationship.predicate} the {name}{absent}"
            report.append({"object": i, "found": k is not None, "why": why})
        return report

    def _judged(self, scene: Scene, found: Sequence[Found]) -> list[Judged]:
        return list(judged(scene, found, self.finder.colours))


NAMES = ("recall", "precision", "relations")


def _named(values: Mapping[str, T], suffix: str = "") -> dict[str, T]:
    """Return what is told by short name under the full one."""
    return {f"judge/{name}{suffix}": value for name, value in values.items()}


def _gather(rows: list[Row], unknown: set[str]) -> tuple[list[Row], set[str]]:
    """Return the rows of all processes by position, and their unknown words."""
    parts = from_all((rows, unknown))
    together = [row for part, _ in parts for row in part]
    return sorted(together, key=lambda row: row.position), set().union(*(words for _, words in parts))


def _refusal(unknown: set[str], objects: int) -> str:
    if unknown:
        words = ", ".join(sorted(unknown)[:5]) + (", ..." if len(unknown) > 5 else "")
        return f"the judge knows only procedural scenes; these scenes also show {words}"
    return "" if objects else "no scene with objects was given"


def _where(found: Found) -> str:
    x, y = (found.box[0] + found.box[2]) / 2, (found.box[1] + found.box[3]) / 2
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else "middle"
    row = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else "centre"
    return f"found at the {row} {column} ({x:.2f}, {y:.2f})"
