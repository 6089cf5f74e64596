"""One annotated image before batching. Imports no torch: reports and `pack` read it too."""

from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = ("categories", "attributes", "predicates")
"""Of words: the fields of a `Vocabulary`."""


@dataclass(frozen=True, slots=True)
class Object:
    """A thing in an image.

    Args:
        category: What it is ("person"; for procedural scenes its shape, "circle").
        box: `(left, top, right, bottom)` as fractions of the image in [0, 1], origin at the top left.
        attributes: Adjectives ("red", "large", "striped"), in a fixed order per source.
        visible: Share of its pixels not hidden by other objects, in [0, 1]; 1 where the source does not know.
    """

    category: str
    box: tuple[float, float, float, float]
    attributes: tuple[str, ...] = ()
    visible: float = 1.0


@dataclass(frozen=True, slots=True)
class Relationship:
    """`subject predicate object`, the ends as indices into `Scene.objects`."""

    subject: int
    predicate: str
    object: int


@dataclass(frozen=True, slots=True)
class Scene:
    """One annotated image, or an annotation to be drawn (then `image` is empty).

    Args:
        id: Unique in its dataset; no dots, since WebDataset cuts keys at the first one.
        objects: In the source's order.
        relationships: Over indices of `objects`.
        captions: Sentences about the whole image.
        image: The encoded file (PNG, JPEG or WebP bytes).
        width: Of the encoded image, pixels.
        height: Of the encoded image, pixels.
        segmentation: What each pixel of the image belongs to, where the source knows it: a PNG of one channel (8 or
            16 bit) and of the image's size. A value is the category's index in the vocabulary plus 1; 0 is none.
    """

    id: str
    objects: tuple[Object, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    captions: tuple[str, ...] = ()
    image: bytes = field(default=b"", repr=False)
    width: int = 0
    height: int = 0
    segmentation: bytes = field(default=b"", repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the image and its segmentation as plain JSON types."""
        fields = asdict(self)
        del fields["image"], fields["segmentation"]
        return fields

    def words(self) -> dict[str, list[str]]:
        """Return every word of its objects and relationships, by the field of `Vocabulary` that should have it."""
        categories = [item.category for item in self.objects]
        attributes = [word for item in self.objects for word in item.attributes]
        predicates = [told.predicate for told in self.relationships]
        return dict(zip(KINDS, (categories, attributes, predicates), strict=True))

    @classmethod
    def from_json(cls, value: dict[str, Any], image: bytes = b"", segmentation: bytes = b"") -> "Scene":
        """Return the scene that `to_json` wrote, with `image` and `segmentation` put back."""
        return cls(
            id=value["id"],
            objects=tuple(
                Object(o["category"], tuple(o["box"]), tuple(o["attributes"]), o["visible"]) for o in value["objects"]
            ),
            relationships=tuple(
                Relationship(r["subject"], r["predicate"], r["object"]) for r in value["relationships"]
            ),
            captions=tuple(value["captions"]),
            image=image,
            width=value["width"],
            height=value["height"],
            segmentation=segmentation,
        )


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a dataset; a word's index is its id. Stored in `dataset.json`, the tokenizer beside it.

    Args:
        categories: Of objects.
        attributes: Of objects.
        predicates: Of relationships.
        tokenizer: Of captions: the content of `tokenizer.json`; empty for a dataset without captions.
    """

    categories: tuple[str, ...]
    attributes: tuple[str, ...]
    predicates: tuple[str, ...]
    tokenizer: str = field(default="", repr=False)

    def __hash__(self) -> int:
        """Return a hash of the numbers of words: quick, since every sample asks for what belongs to its vocabulary."""
        return hash((len(self.categories), len(self.attributes), len(self.predicates)))

    def to_json(self) -> dict[str, list[str]]:
        """Return the words; not the tokenizer."""
        return {name: list(getattr(self, name)) for name in KINDS}

    @classmethod
    def from_json(cls, value: dict[str, list[str]], tokenizer: str = "") -> "Vocabulary":
        """Return the vocabulary that `to_json` wrote, with `tokenizer` put back."""
        words = {name: tuple(value[name]) for name in KINDS}
        return cls(**words, tokenizer=tokenizer)
