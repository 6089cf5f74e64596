"""Scenes that a person asks for: sg2im's JSON, text triples, or boxes -> `Scene`s in a run's vocabulary."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError, nearest
from frido.contracts.geometry import WHOLE, predicate_between
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary

FORMS = (
    'JSON [{"objects": ["red circle", "square"], "relationships": [[0, "left of", 1]]}], '
    'JSON with boxes [{"objects": [{"name": "red circle", "box": [0.1, 0.2, 0.5, 0.6]}]}], '
    'each scene with a "caption" if it is to have one (then "objects" may be []), '
    'or a .txt file with one scene a line: "red circle left of blue square; blue square above star"'
)


def read(path: Path, vocabulary: Vocabulary) -> list[Scene]:
    """Return the scenes of `path`; every word but those of captions is checked against `vocabulary`.

    A scene that is given no caption is described in the words that it is given in.

    Raises:
        FridoError: The file is missing or malformed, or a word is unknown (the nearest known ones are named).
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise FridoError(
            f"scenes={path} cannot be read", got=error.strerror, wanted=FORMS, do="Check the path."
        ) from None
    if path.suffix == ".txt":
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return [
            _from_triples(line, f"{path.stem}-{row}", f"{path} line {row + 1}", vocabulary)
            for row, line in enumerate(lines)
        ]
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise FridoError(f"scenes={path} is not JSON", got=str(error), wanted=FORMS, do="Mend the file.") from None
    values = values if isinstance(values, list) else [values]
    return [
        _from_json(value, f"{path.stem}-{row}", f"{path} scene {row}", vocabulary) for row, value in enumerate(values)
    ]


def _from_json(value: Any, name: str, where: str, vocabulary: Vocabulary) -> Scene:
    caption = value.get("caption", "") if isinstance(value, dict) else None
    listed = isinstance(value, dict) and isinstance(value.get("objects"), list)
    if not isinstance(caption, str) or not listed or not (caption or value["objects"]):
        raise FridoError(
            where, got=json.dumps(value)[:80], wanted=FORMS, do='Give it a list "objects" with at least one.'
        )
    objects = tuple(_object(item, where, vocabulary) for item in value["objects"])
    relationships = tuple(
        _relationship(triple, len(objects), where, vocabulary) for triple in value.get("relationships", [])
    )
    boxed = all(isinstance(item, dict) and "box" in item for item in value["objects"])
    if boxed and not relationships:
        relationships = _from_boxes(objects, vocabulary)
    return _captioned(Scene(id=name, objects=objects, relationships=relationships), caption)


def _captioned(scene: Scene, caption: str = "") -> Scene:
    """Return `scene` with a caption, by default "a red circle, a star; the red circle is left of the star"."""
    names = [" ".join([*item.attributes, item.category]) for item in scene.objects]
    told = [f"the {names[r.subject]} is {r.predicate} the {names[r.object]}" for r in scene.relationships]
    return replace(scene, captions=(caption or "; ".join([", ".join(f"a {name}" for name in names), *told]),))


def _object(item: Any, where: str, vocabulary: Vocabulary) -> Object:
    box: Sequence[float] = WHOLE
    if isinstance(item, dict):
        box, item = item.get("box", box), item.get("name", item.get("category"))
        if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
            raise FridoError(
                f"{where}: the box of {item!r}",
                got=list(box),
                wanted="[left, top, right, bottom] as fractions of the image, 0 <= left < right <= 1",
                do="Divide pixels by the image's width and height.",
            )
    if not isinstance(item, str):
        raise FridoError(f"{where}: an object", got=item, wanted='a name such as "red circle"', do=FORMS)
    *attributes, category = _words(item, vocabulary)
    _known(category, vocabulary.categories, "object", where)
    for attribute in attributes:
        _known(attribute, vocabulary.attributes, "attribute", where)
    in_order = tuple(sorted(attributes, key=vocabulary.attributes.index))
    return Object(category, tuple(float(edge) for edge in box), in_order)  # type: ignore[arg-type]


def _words(phrase: str, vocabulary: Vocabulary) -> list[str]:
    """Split "large red fire hydrant" into attributes and a last category of any number of words."""
    words = phrase.lower().split()
    for start in range(len(words)):
        if " ".join(words[start:]) in vocabulary.categories:
            return [*words[:start], " ".join(words[start:])]
    return words


def _relationship(triple: Any, count: int, where: str, vocabulary: Vocabulary) -> Relationship:
    match triple:
        case [int(subject), str(predicate), int(target)] if 0 <= subject < count and 0 <= target < count:
            _known(predicate, vocabulary.predicates, "relationship", where)
            return Relationship(subject, predicate, target)
    raise FridoError(
        f"{where}: a relationship",
        got=json.dumps(triple),
        wanted=f"[subject, predicate, object] with subject and object in 0..{count - 1}",
        do='Write, for example, [0, "left of", 1].',
    )


def _from_triples(line: str, name: str, where: str, vocabulary: Vocabulary) -> Scene:
    """Read "a left of b; b above c"; equal phrases are the same object."""
    phrases: list[str] = []
    relationships = []
    longest_first = sorted(vocabulary.predicates, key=len, reverse=True)
    for clause in (part.strip().lower() for part in line.split(";") if part.strip()):
        predicate = next((word for word in longest_first if f" {word} " in clause), None)
        ends = clause.split(f" {predicate} ", 1) if predicate else [clause]
        for end in ends:
            if end not in phrases:
                phrases.append(end)
        if predicate:
            relationships.append(Relationship(phrases.index(ends[0]), predicate, phrases.index(ends[1])))
    objects = tuple(_object(phrase, where, vocabulary) for phrase in phrases)
    return _captioned(Scene(id=name, objects=objects, relationships=tuple(relationships)))


def _from_boxes(objects: Sequence[Object], vocabulary: Vocabulary) -> tuple[Relationship, ...]:
    found = (
        Relationship(i, predicate_between(objects[i].box, objects[j].box), j)
        for i in range(len(objects))
        for j in range(i + 1, len(objects))
    )
    return tuple(relationship for relationship in found if relationship.predicate in vocabulary.predicates)


def _known(word: str, words: Sequence[str], kind: str, where: str) -> None:
    if word not in words:
        close = nearest(word, words) or sorted(words)[:5]
        raise FridoError(
            f"{where}: this run does not know the {kind} {word!r}",
            got=word,
            wanted=f"one of its {len(words)} {kind}s",
            do=f"Nearest: {', '.join(close)}.",
        )
