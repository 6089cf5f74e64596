"""Which of the objects that a scene asks for are among those found."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product

from frido.contracts.geometry import PREDICATES, holds
from frido.contracts.scene import Relationship, Scene
from frido.metrics.finder import Found

MOST_ASSIGNMENTS = 2000
"""Ways to tell twins apart that are tried for the sake of the relationships; more than 6 twins are rare."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An object that a scene asks for, in the judge's words; no colour means any colour."""

    shape: str
    colour: str | None

    @property
    def name(self) -> str:
        return self.shape if self.colour is None else f"{self.colour} {self.shape}"

    def fits(self, found: Found) -> bool:
        return self.shape == found.shape and self.colour in (None, found.colour)


def wishes_of(scene: Scene, colours: Sequence[str]) -> list[Wish]:
    """Return what a scene asks for; the colour is the first attribute that is a colour word."""
    return [
        Wish(item.category, next((word for word in item.attributes if word in colours), None)) for item in scene.objects
    ]


def known_relationships(scene: Scene) -> list[Relationship]:
    """Return the relationships of a scene that geometry can decide."""
    return [relationship for relationship in scene.relationships if relationship.predicate in PREDICATES]


def broken(scene: Scene, found: Sequence[Found], match: Sequence[int | None]) -> list[Relationship]:
    """Return the known relationships that do not hold; one with a missing end does not."""
    result = []
    for relationship in known_relationships(scene):
        ends = match[relationship.subject], match[relationship.object]
        subject, object_ = (None if end is None else found[end].box for end in ends)
        if subject is None or object_ is None or not holds(subject, relationship.predicate, object_):
            result.append(relationship)
    return result


def match(scene: Scene, wishes: Sequence[Wish], found: Sequence[Found]) -> list[int | None]:
    """Return for each wish the index of its find, or `None`: a largest matching of multisets.

    A find serves one wish. Place plays no part: a scene graph does not say where. Between twins (wishes of one
    name) the assignment with the most relationships that hold is taken, since the scene does not tell them apart.
    """
    groups: list[tuple[list[int], list[int | None]]] = []
    taken: set[int] = set()
    # Coloured wishes first: what they leave is all that wishes for any colour can get, so no find is wasted.
    for name in sorted({wish.name for wish in wishes}, key=lambda name: " " not in name):
        asking = [i for i, wish in enumerate(wishes) if wish.name == name]
        fitting = [k for k, item in enumerate(found) if k not in taken and wishes[asking[0]].fits(item)][: len(asking)]
        taken.update(fitting)
        groups.append((asking, [*fitting, *[None] * (len(asking) - len(fitting))]))

    best: list[int | None] = []
    fewest = len(scene.relationships) + 1
    # product() reads its inputs to their ends, and a dozen twins have more orders than there is memory.
    orders = [list(islice(permutations(given), MOST_ASSIGNMENTS)) for _, given in groups]
    for choice in islice(product(*orders), MOST_ASSIGNMENTS):
        candidate: list[int | None] = [None] * len(wishes)
        for (asking, _), given in zip(groups, choice, strict=True):
            for i, k in zip(asking, given, strict=True):
                candidate[i] = k
        count = len(broken(scene, found, candidate))
        if count < fewest:
            best, fewest = candidate, count
        if fewest == 0:
            break
    return best
