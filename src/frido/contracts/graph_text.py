"""Scene graphs as text, as Frido writes them for Visual Genome."""

from collections.abc import Sequence
from string import ascii_uppercase

from frido.contracts.scene import Scene, Vocabulary

LETTERS = (*ascii_uppercase, *(f"A{letter}" for letter in ascii_uppercase[1:]))
"""Names of the instances of a category: A to Z, AB to AZ (official: to AF). All further ones share the last."""


def graph_text(categories: Sequence[int], triples: Sequence[tuple[int, int, int]], vocabulary: Vocabulary) -> str:
    """Return `subject predicate object , subject predicate object , ...` in the order of the triples.

    Where relationships name more than one object of a category, each mention of that category is followed by a
    letter: A for the first object of it that is named, B for the second. Objects in no relationship are left out, as
    are attributes, and a scene without relationships is the empty text.

    Args:
        categories: Of each object, as ids of `vocabulary`.
        triples: `(subject, predicate, object)`; the ends index `categories`.
        vocabulary: Of the dataset.
    """
    named: dict[int, list[int]] = {}
    for subject, _, target in triples:
        for end in (subject, target):
            instances = named.setdefault(categories[end], [])
            if end not in instances:
                instances.append(end)

    def mention(end: int) -> str:
        name, instances = vocabulary.categories[categories[end]], named[categories[end]]
        if len(instances) == 1:
            return name
        return f"{name} {LETTERS[min(instances.index(end), len(LETTERS) - 1)]}"

    told = (f"{mention(s)} {vocabulary.predicates[predicate]} {mention(o)}" for s, predicate, o in triples)
    return " , ".join(told)


def first_caption(scene: Scene) -> str:
    """Return the first caption of a scene, empty where there is none."""
    return scene.captions[0].strip() if scene.captions else ""


def scene_text(scene: Scene) -> str:
    """Return what a scene shows as text: its first caption; else its graph, each object after its attributes.

    Without relationships the objects are listed; without objects there is no text either.
    """
    if caption := first_caption(scene):
        return caption
    names = [" ".join([*item.attributes, item.category]) for item in scene.objects]
    if not scene.relationships:
        return " , ".join(names)
    words = Vocabulary(tuple(dict.fromkeys(names)), (), tuple({told.predicate: 0 for told in scene.relationships}))
    triples = [(told.subject, words.predicates.index(told.predicate), told.object) for told in scene.relationships]
    return graph_text([words.categories.index(name) for name in names], triples, words)
