"""All images of one side, looked at once before anything heavy is built. No torch."""

import hashlib
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from frido.cli.scoring.places import Place
from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.images import opened
from frido.data.packing.processes import bar
from frido.data.upright import upright_size

NAMED = 5
"""Unreadable images that an error names; of more it gives the number."""


class Picture(NamedTuple):
    """What is known of an image before its pixels are decoded."""

    name: str
    size: tuple[int, int]
    """Width and height of the upright image, pixels."""
    scene: Scene | None


class Side(NamedTuple):
    """Real or generated images."""

    asked: str
    """As it was typed: `real=DIR`."""
    place: Place
    pictures: list[Picture]
    sha256: str
    """Of all names and files, in order."""

    @property
    def described(self) -> bool:
        """Whether it is known what each image shows."""
        return all(p.scene is not None and (p.scene.objects or p.scene.captions) for p in self.pictures)

    def to_json(self) -> dict[str, Any]:
        """Return what a card says of it."""
        sizes = sorted({picture.size for picture in self.pictures})
        return {
            "from": self.asked.partition("=")[2],
            "kind": self.place.kind,
            "images": len(self.pictures),
            "sizes": [f"{width} x {height}" for width, height in sizes[:3]] + (["..."] if len(sizes) > 3 else []),
            "sha256": self.sha256,
        }


def look(asked: str, place: Place) -> Side:
    """Read all files, and of each as much as tells its size.

    Raises:
        FridoError: Some are damaged: they are named.
    """
    digest, pictures, broken = hashlib.sha256(), list[Picture](), list[str]()
    with bar(f"looking at {asked.partition('=')[0]}", len(place), unit="images", done=0, quiet=False) as advance:
        for row in range(len(place)):
            where = place.where(row)
            try:
                stored = place.read(row)
                with opened(io.BytesIO(stored.content), where) as file:
                    size = upright_size(file)
            except FridoError as error:
                broken.append(f"{where}: {error.got}")
                continue
            except OSError as error:
                broken.append(f"{where}: {error.strerror or error}")
                continue
            digest.update(f"{stored.name}\0{len(stored.content)}\0".encode())
            digest.update(stored.content)
            pictures.append(Picture(stored.name, size, stored.scene))
            advance(1)
    if broken:
        more = f"; and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
        raise FridoError(
            asked,
            got=f"{'; '.join(broken[:NAMED])}{more}",
            wanted=f"{len(place)} images that can be read",
            do="fetch them again, or move them away: numbers on other images would be other numbers",
        )
    return Side(asked, place, pictures, digest.hexdigest())


def pairs(real: Side, generated: Side) -> list[int] | None:
    """Return for each real image the generated one of the same name; `None` unless both sides have the same names."""
    rows = {picture.name: row for row, picture in enumerate(generated.pictures)}
    names = [picture.name for picture in real.pictures]
    alike = len(names) == len(set(names)) == len(rows) == len(generated.pictures) and set(names) == set(rows)
    return [rows[name] for name in names] if alike else None


def scenes(real: Side, generated: Side, partners: Sequence[int] | None) -> list[Scene] | None:
    """Return what each generated image is to show, as its own side tells it, or that of its partner."""
    told = None
    if generated.described:
        told = [picture.scene for picture in generated.pictures]
    elif real.described and partners is not None:
        row_of = {partner: row for row, partner in enumerate(partners)}
        told = [real.pictures[row_of[row]].scene for row in range(len(partners))]
    return None if told is None else [scene for scene in told if scene is not None]
