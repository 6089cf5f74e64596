"""Cards of pictures: what each row and column of a grid shows, as the run wrote it beside the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from frido.contracts.scene import Scene
from frido.report import files


@dataclass(frozen=True, slots=True)
class Item:
    """What a column shows; `condition` and `noise` are fingerprints, empty where nothing was drawn by them."""

    scene: Scene
    condition: str
    noise: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A card: tiles of `width` x `height` pixels, `gap` pixels apart, a row under each name and a column per item.

    It describes the pictures of its folder from `since` images seen on; older ones were drawn otherwise.
    """

    width: int
    height: int
    gap: int
    rows: tuple[str, ...]
    items: tuple[Item, ...]
    since: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a whole picture."""
        columns, rows = len(self.items), len(self.rows)
        return columns * self.width + (columns - 1) * self.gap, rows * self.height + (rows - 1) * self.gap

    def band(self, row: str) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of one row in a picture."""
        top = self.rows.index(row) * (self.height + self.gap)
        return 0, top, self.size[0], top + self.height


@dataclass(frozen=True, slots=True)
class Film:
    """The strip of one scene, of tiles of `width` x `height` pixels, `gap` pixels apart.

    `steps` are `(step, time)` of each column, one list for each of the rows; a row may have fewer than another.
    """

    path: Path
    width: int
    height: int
    gap: int
    rows: tuple[str, ...]
    steps: tuple[tuple[tuple[int, float], ...], ...]
    item: Item
    how: str

    def band(self, row: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of one row in the picture, as far as it has steps."""
        top, count = row * (self.height + self.gap), len(self.steps[row])
        return 0, top, count * self.width + (count - 1) * self.gap, top + self.height


def grid(folder: Path) -> Grid | None:
    """Return the card in a folder of periodic pictures; `None` where there is none, as in runs of older versions.

    Raises:
        FridoError: It is malformed.
    """
    path = folder / "grid.json"
    card = files.read_json(path, dict)
    return files.each(path, [card], "the card of a grid", _grid)[0] if card else None


def described(found: Sequence[tuple[int, Path]], card: Grid | None) -> tuple[tuple[int, Path], ...]:
    """Return the pictures that a card describes, of `(images seen, file)`: not older than the card, and of its size.

    A run that goes on from an earlier checkpoint, and draws something else now, still has later pictures of before.
    """
    if card is None:
        return ()
    return tuple((images, path) for images, path in found if images >= card.since and _size(path) in (card.size, None))


def _size(path: Path) -> tuple[int, int] | None:
    """Return width and height; `None` of what is no image, which is refused where it is read."""
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, UnidentifiedImageError):
        return None


def films(folder: Path) -> tuple[Film, ...]:
    """Return the filmstrips in a folder of samples; none where there is no card of them, or no file.

    Raises:
        FridoError: The card is malformed.
    """
    path = folder / "filmstrips" / "card.json"
    card = files.read_json(path, dict)
    found = (
        files.each(path, [card], "the card of filmstrips", lambda card: _films(path.parent, card)) if card else ((),)
    )
    return tuple(film for film in found[0] if film.path.is_file())


def _grid(card: dict[str, Any]) -> Grid:
    width, height = map(int, card["tile"])
    rows, items = tuple(map(str, card["rows"])), tuple(_item(item) for item in card["items"])
    if not rows or not items or min(width, height) < 1:
        raise ValueError("no row, no column or no pixel")
    return Grid(width, height, int(card["gap"]), rows, items, int(card["since"]))


def _films(folder: Path, card: dict[str, Any]) -> tuple[Film, ...]:
    rows = tuple(map(str, card["rows"]))
    steps = tuple(tuple((int(cell["step"]), float(cell["time"])) for cell in row) for row in card["columns"])
    if len(steps) != len(rows) or not all(steps):
        raise ValueError(f"{len(rows)} rows and steps {steps}")
    width, height = map(int, card["tile"])
    gap, how = int(card["gap"]), str(card["how"])
    return tuple(
        Film(folder / f"{int(item['row']):06d}.png", width, height, gap, rows, steps, _item(item), how)
        for item in card["items"]
    )


def _item(item: dict[str, Any]) -> Item:
    return Item(Scene.from_json(item["scene_json"]), str(item.get("condition", "")), str(item.get("noise", "")))
