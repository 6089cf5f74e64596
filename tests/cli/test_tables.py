"""What trackers are shown beside curves."""

from pathlib import Path

from frido.cli import tables
from frido.contracts.scene import Object, Relationship, Scene
from frido.contracts.tracker import Tracker


class Shown(Tracker):
    def __init__(self) -> None:
        self.tables = {}

    def log(self, values, *, images):
        raise AssertionError

    def picture(self, name, path, *, images):
        raise AssertionError

    def table(self, name, columns, rows, *, images):
        assert all(len(row) == len(columns) for row in rows)
        self.tables[name] = [dict(zip(columns, row, strict=True)) for row in rows]

    def close(self):
        raise AssertionError


def test_a_number_comes_with_its_protocol():
    shown = Shown()
    cards = {
        "judge/recall": {"value": 0.5, "images": 512, "steps": 20, "ema": "a", "note": "few"},
        "fid/scenes@512": {"images": 512, "refused": "too few"},
    }
    tables.numbers(shown, cards, images=8)
    first, second = shown.tables["final"]
    assert first == {"name": "fid/scenes@512", "value": None, "n": 512, "protocol": "{}", "note": None,
                     "refused": "too few"}  # fmt: skip
    assert (second["value"], second["n"], second["note"]) == (0.5, 512, "few")
    assert second["protocol"] == '{"ema": "a", "steps": 20}'


def test_samples_stand_beside_their_scenes(tmp_path):
    things = tuple(Object(name, (0.1, 0.1, 0.5, 0.5), ()) for name in ("cube", "ball"))
    scene = Scene("val-1", things, (Relationship(0, "left of", 1),), (), width=8, height=8)
    shown = Shown()
    tables.samples(shown, tmp_path, [scene, scene], images=8)
    first, second = shown.tables["samples"]
    assert (first["scene"], first["text"]) == ("val-1", "cube left of ball")
    assert isinstance(first["graph"], Path) and first["graph"].read_text().startswith("<svg")
    assert (second["real"], second["generated"]) == (tmp_path / "real/000001.png", tmp_path / "generated/000001.png")
