"""What trackers are shown beside curves: final numbers with their cards, and the first samples with their scenes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.contracts import atomic
from frido.contracts.graph_text import scene_text
from frido.contracts.scene import Scene
from frido.contracts.tracker import Cell, Tracker
from frido.report import graph

NUMBERS = ("name", "value", "n", "protocol", "note", "refused")
SAMPLES = ("scene", "text", "graph", "real", "generated")


def numbers(tracker: Tracker, cards: Mapping[str, Mapping[str, Any]], *, images: int) -> None:
    """Track a row for every card: name, value, on how many images, the rest of the card, and what is to be noted."""
    own = ("value", "images", "note", "refused")
    rows = []
    for name, card in sorted(cards.items()):
        value, n, note, refused = (card.get(key) for key in own)
        protocol = {key: what for key, what in card.items() if key not in own}
        rows.append([name, value, n, json.dumps(protocol, sort_keys=True), note, refused])
    tracker.table("final", NUMBERS, rows, images=images)


def samples(tracker: Tracker, folder: Path, scenes: Sequence[Scene], *, images: int) -> None:
    """Track a row for each of the first scenes of `folder`: its words, its graph drawn, and both pictures.

    The graphs are drawn into `folder/graphs`, where they are not there yet.
    """
    rows: list[list[Cell]] = []
    for row, scene in enumerate(scenes):
        drawn = folder / "graphs" / f"{row:06d}.svg"
        if not drawn.exists():
            atomic.write_text(drawn, graph.draw(scene))
        pictures = [folder / name / f"{row:06d}.png" for name in ("real", "generated")]
        rows.append([scene.id, scene_text(scene), drawn, *pictures])
    tracker.table("samples", SAMPLES, rows, images=images)
