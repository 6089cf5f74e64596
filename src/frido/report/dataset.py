"""A packed dataset in, one self-contained HTML page out."""

import base64
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.drawing import boxes_on
from frido.data.images import opened
from frido.data.packing.statistics import SIZES, Statistics
from frido.data.shards import Shards, read_spec
from frido.data.sources.base import SPLITS
from frido.report import bars, graph, template
from frido.report.numbers import count
from frido.report.table import flat, say

WORDS = 30  # shown of categories, attributes, predicates
COLUMNS = 32  # of a histogram; more values share one
SHOWN_PX = 900  # longer side of the pictures on the page, at most
KINDS = ("images", "objects", "relationships")


def write(root: Path, statistics: Statistics, out: Path, *, scenes: int) -> Path:
    """Write the page of the dataset in the folder `root` to `out` and return it.

    Args:
        root: Folder with `dataset.json`.
        statistics: Of this dataset.
        out: The HTML file, replaced whole.
        scenes: Of each split, drawn with their boxes and graphs.

    Raises:
        FridoError: The dataset cannot be read, or `out` cannot be written.
    """
    text = render(root, statistics, scenes=scenes)
    try:
        atomic.write_text(out, text)
    except OSError as error:
        do = "Give --out another place."
        raise FridoError(f"page {out}", got=error, wanted="a file that can be written", do=do) from None
    return out


def render(root: Path, statistics: Statistics, *, scenes: int) -> str:
    """Return the page as text."""
    spec = read_spec(root)
    style = "".join(template.text(name) for name in ("page.css", "charts.css", "dataset.css"))
    told = {name: spec[name] for name in ("licence", "origin", "images", "source", "packing", "order", "hash")}
    return template.filled(
        "dataset.html.j2",
        {
            "title": root.resolve().name,
            "origin": spec["origin"],
            "policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
            "style": Markup(style),
            "facts": _facts(statistics, spec["vocabulary"]),
            "notes": _notes(spec),
            "charts": charts(statistics),
            "rankings": rankings(statistics),
            "filters": totals(spec["filters"]),
            "scenes": [_card(split, scene) for split, scene in chosen(root, spec, scenes)],
            "total": sum(statistics.scenes.values()),
            "card": [(key, say(value)) for key, value in flat(told)],
        },
    )


def charts(statistics: Statistics) -> list[tuple[str, str]]:
    """Return the title and the drawing of every histogram of numbers that has more than one bar."""
    sizes = [(f"{step / SIZES:.2g}", statistics.sizes[step]) for step in range(SIZES)]
    drawn = [("Size of boxes", bars.columns("Sizes", sizes, axis="root of the share of the image's area"))]
    for title, axis, counts in _spreads(statistics):
        if len(counts) > 1:
            drawn.append((title, bars.columns(title, histogram(counts), axis=axis)))
    return drawn if statistics.sizes else drawn[1:]


def rankings(statistics: Statistics) -> list[tuple[str, str]]:
    """Return the title and the drawing of the most frequent words of every kind."""
    drawn = []
    for kind in ("categories", "attributes", "predicates"):
        counts: Counter[str] = getattr(statistics, kind)
        if counts:
            more = f", the first {WORDS} of {count(len(counts))}" if len(counts) > WORDS else ""
            drawn.append((f"{kind.capitalize()}{more}", bars.ranking(kind, counts, limit=WORDS)))
    return drawn


def _spreads(statistics: Statistics) -> list[tuple[str, str, Counter[int]]]:
    return [
        ("Objects in an image", "objects", statistics.objects),
        ("Relationships in an image", "relationships", statistics.relationships),
        ("Captions of an image", "captions", statistics.captions),
        ("Shorter side of images", "pixels", statistics.sides),
    ]


def _facts(statistics: Statistics, vocabulary: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return what needs no drawing: numbers of images and words, and what is the same for all images."""
    facts = [(f"Images, {split}", count(number)) for split, number in statistics.scenes.items()]
    facts += [(kind.capitalize(), count(len(words))) for kind, words in vocabulary.items()]
    alike = [(title, counts) for title, _, counts in _spreads(statistics) if len(counts) == 1]
    return facts + [(title, count(next(iter(counts)))) for title, counts in alike]


def histogram(counts: Counter[int]) -> list[tuple[str, int]]:
    """Return labels and numbers from the least value to the greatest; at most `COLUMNS`, else neighbours share one."""
    if not counts:
        return []
    low, high = min(counts), max(counts)
    wide = -(-(high - low + 1) // COLUMNS)
    starts = range(low, high + 1, wide)
    return [
        (str(start) if wide == 1 else f"{start}–{start + wide - 1}", sum(counts[start + k] for k in range(wide)))
        for start in starts
    ]


def totals(filters: dict[str, list[dict[str, Any]]]) -> list[tuple[str, list[int]]]:
    """Return, for every step of the filters in their order, images, objects and relationships over all splits."""
    found: dict[str, Counter[str]] = {}
    for row in (row for rows in filters.values() for row in rows):
        found.setdefault(row["step"], Counter()).update({kind: row[kind] for kind in KINDS})
    return [(step, [counts[kind] for kind in KINDS]) for step, counts in found.items()]


def chosen(root: Path, spec: dict[str, Any], number: int) -> list[tuple[str, Scene]]:
    """Return at most `number` scenes of every split, evenly spread over its shards."""
    found = []
    for split in (split for split in SPLITS if split in spec["splits"]):
        shards = Shards.below(root, split)
        rows = sorted({k * len(shards) // number for k in range(number)})
        found += [(split, shards.scene(row)) for row in rows]
    return found


def _card(split: str, scene: Scene) -> dict[str, Any]:
    with opened(io.BytesIO(scene.image), f"image of scene {scene.id}") as image:
        picture = boxes_on(image, scene)
    picture.thumbnail((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=82)
    return {
        "title": f"{split} · {scene.id}",
        "size": f"{scene.width} × {scene.height} px",
        "uri": f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode('ascii')}",
        "width": picture.width,
        "height": picture.height,
        "graph": Markup(graph.draw(scene)),
        "captions": scene.captions,
    }


def _notes(spec: dict[str, Any]) -> Sequence[str]:
    notes = [spec["evaluation"]] if spec["evaluation"] else []
    if spec["unreadable"]:
        named = ", ".join(image["name"] for image in spec["unreadable"][:5])
        more = " and more" if len(spec["unreadable"]) > 5 else ""
        notes.append(f"{len(spec['unreadable'])} images could not be read and were left out: {named}{more}")
    return notes
