"""The scene judge: does a picture show what its scene asks for?"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch.distributed as dist
from jaxtyping import UInt8
from torch import Tensor

from frido.contracts.metric import Metric
from frido.contracts.scene import Scene
from frido.metrics.finder import Finder, Found
from frido.metrics.matching import broken, known_relationships, match, wishes_of


class Row(NamedTuple):
    """A scene and what was found in its generated and in its real image."""

    scene: Scene
    generated: list[Found]
    real: list[Found]


class Judge(Metric):
    """Recall and precision of (shape, colour) objects, and the share of relationships that hold.

    Each number comes three times: bare for the generated images, `_real` for the real images of the same scenes
    (the judge's own ceiling), `_shuffled` for the generated images against the scenes of other rows (chance).
    Sums run over all objects of all scenes. Recall and precision ignore place; a relationship holds when both of
    its ends are found and the boxes found say so.

    Scenes with words that the judge does not know get no numbers at all; the card says which words.

    Args:
        threshold: Least score at which the network's find counts as an object, in (0, 1).
        weights: A file that `experiments/scene_features/train.py` wrote; `None` is the one in the package.
    """

    def __init__(self, *, threshold: float, weights: str | None = None) -> None:
        self.finder = Finder(threshold=threshold, weights=weights)
        self.rows: list[Row] = []
        self.unknown: set[str] = set()
        self.counts: dict[str, int] = {}
        self.refusal = ""

    def update(
        self,
        *,
        real: UInt8[Tensor, "batch 3 height width"],
        generated: UInt8[Tensor, "batch 3 height width"],
        scenes: Sequence[Scene],
    ) -> None:
        assert len(real) == len(generated) == len(scenes), "rows of images and scenes belong together"
        for scene in scenes:
            self.unknown.update(self.unknown_words(scene))
        if not self.unknown:
            finds = zip(scenes, self.finder.find(generated), self.finder.find(real), strict=True)
            self.rows += [Row(scene, of_generated, of_real) for scene, of_generated, of_real in finds]

    def compute(self) -> dict[str, float]:
        rows, unknown = _gather(self.rows, self.unknown)
        self.counts = {
            "scenes": len(rows),
            "objects": sum(len(row.scene.objects) for row in rows),
            "relationships": sum(len(known_relationships(row.scene)) for row in rows),
        }
        self.refusal = _refusal(unknown, self.counts["objects"])
        if self.refusal:
            return {}
        numbers = self._scores([(row.scene, row.generated) for row in rows], "")
        numbers |= self._scores([(row.scene, row.real) for row in rows], "_real")
        others = derangement([row.scene.id for row in rows])
        if others:
            pairs = [(rows[k].scene, row.generated) for row, k in zip(rows, others, strict=True)]
            numbers |= self._scores(pairs, "_shuffled")
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

    def _scores(self, pairs: Sequence[tuple[Scene, list[Found]]], suffix: str) -> dict[str, float]:
        asked = shown = hits = related = held = 0
        for scene, found in pairs:
            matched = match(scene, wishes_of(scene, self.finder.colours), found)
            asked, shown = asked + len(matched), shown + len(found)
            hits += sum(k is not None for k in matched)
            relationships = len(known_relationships(scene))
            related, held = related + relationships, held + relationships - len(broken(scene, found, matched))
        numbers = {f"judge/recall{suffix}": hits / asked if asked else 0.0}
        # Nothing found is no false find, but a picture of nothing is not precise either.
        numbers[f"judge/precision{suffix}"] = hits / shown if shown else 0.0
        if related:
            numbers[f"judge/relations{suffix}"] = held / related
        return numbers


NAMES = ("recall", "precision", "relations")


def derangement(ids: Sequence[str]) -> list[int]:
    """Return for each row another row whose scene has another id; the same whatever the batches and ranks were.

    Rows sorted by id are shifted by the length of the longest run of one id, which no run survives. Empty where
    there is no such assignment.
    """
    order = sorted(range(len(ids)), key=lambda i: (ids[i], i))
    shift = max((ids.count(word) for word in set(ids)), default=0)
    if len(ids) < 2 * shift or not ids:
        return []
    other = [0] * len(ids)
    for place, row in enumerate(order):
        other[row] = order[(place + shift) % len(ids)]
    return other


def _gather(rows: list[Row], unknown: set[str]) -> tuple[list[Row], set[str]]:
    """Return the rows and unknown words of all processes."""
    if not (dist.is_available() and dist.is_initialized()):
        return rows, unknown
    parts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(parts, (rows, unknown))
    return [row for part, _ in parts for row in part], set().union(*(words for _, words in parts))


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
