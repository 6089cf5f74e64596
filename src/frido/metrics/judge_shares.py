"""Of what a judge was asked about, how much is there: in all, by kind of thing, and by scene."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from frido.contracts.metric import Part
from frido.contracts.scene import Scene
from frido.metrics.finder import Found
from frido.metrics.matching import broken, known_relationships, match, wishes_of


class Judged(NamedTuple):
    """An object or relationship that was asked for or found."""

    number: str
    """That it counts for: "recall", "precision" or "relations"."""
    parts: tuple[str, ...]
    """That it belongs to: `shape circle`, `colour red`, `predicate above`, `objects 3` (that the scene asks for)."""
    holds: bool


def judged(scene: Scene, found: Sequence[Found], colours: Sequence[str]) -> Iterator[Judged]:
    """Yield all that is to be said of a picture, in which objects were found, and its scene."""
    wishes = wishes_of(scene, colours)
    matched = match(scene, wishes, found)
    asked = f"objects {len(wishes)}"
    for wish, find in zip(wishes, matched, strict=True):
        colour = () if wish.colour is None else (f"colour {wish.colour}",)
        yield Judged("recall", (f"shape {wish.shape}", *colour, asked), find is not None)
    for row, item in enumerate(found):
        yield Judged("precision", (f"shape {item.shape}", f"colour {item.colour}", asked), row in matched)
    wrong = broken(scene, found, matched)
    for told in known_relationships(scene):
        yield Judged("relations", (f"predicate {told.predicate}", asked), told not in wrong)


def shares(things: Sequence[Judged]) -> dict[str, float]:
    """Return recall, precision and the share of relationships that hold; what was not asked for is left out."""
    held, of = Counter(thing.number for thing in things if thing.holds), Counter(thing.number for thing in things)
    numbers = {name: held[name] / count for name, count in of.items()}
    # Nothing found is no false find, but a picture of nothing is not precise either.
    return {"precision": 0.0, **numbers}


def by_part(things: Sequence[Judged]) -> Mapping[str, Mapping[str, Part]]:
    """Return by number the share of each part, and of how many things it is one."""
    counts: defaultdict[str, defaultdict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for thing in things:
        for part in thing.parts:
            counts[thing.number][part].append(thing.holds)
    return {
        number: {part: Part(sum(held) / len(held), len(held)) for part, held in sorted(parts.items())}
        for number, parts in counts.items()
    }
