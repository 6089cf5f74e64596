"""Cards of pictures, and the fingerprints of what they show."""

import json

import torch

from frido.cli import fingerprints, pictures
from frido.cli.filmstrips import evenly
from frido.contracts.scene import Object, Relationship, Scene

ROWS = {name: torch.zeros(3, 3, 4, 6) for name in ("real", "generated")}
ITEMS = [{"scene": name, "noise": name} for name in "abc"]


def keep(folder, items, images):
    pictures.keep_card(folder, pictures.card(ROWS, items), images=images)
    return json.loads((folder / "grid.json").read_text())


def test_card_of_a_grid(tmp_path):
    told = keep(tmp_path, ITEMS, 64)
    assert told == {
        "tile": [6, 4],
        "gap": 0,
        "columns": 3,
        "rows": ["real", "generated"],
        "items": ITEMS,
        "since": 64,
    }


def test_card_is_written_once_and_replaced_where_another_picture_is_drawn(tmp_path):
    """Older pictures then have no card: `since` moves on."""
    first = keep(tmp_path, ITEMS, 64)
    assert keep(tmp_path, [dict(item) for item in ITEMS], 128) == first
    other = keep(tmp_path, ITEMS[::-1], 192)
    assert other["since"] == 192 and other["items"] == ITEMS[::-1]


SCENE = Scene(
    id="a",
    objects=(Object("circle", (0.0, 0.0, 0.5, 0.5), ("red",)), Object("star", (0.5, 0.5, 1.0, 1.0))),
    relationships=(Relationship(0, "above", 1),),
    captions=("a red circle above a star",),
    width=32,
    height=32,
)


def changed(**parts) -> Scene:
    return Scene.from_json({**SCENE.to_json(), **parts})


def test_fingerprint_of_a_condition_is_of_all_that_can_be_drawn_by():
    shown = torch.zeros(3, 2, 2, dtype=torch.uint8)
    same = [SCENE, changed(id="b"), changed(width=64, height=64)]
    assert len({fingerprints.of_condition(scene, None) for scene in same}) == 1
    objects = SCENE.to_json()["objects"]
    others = [
        changed(captions=["another"]),
        changed(relationships=[]),
        changed(objects=[objects[0], {**objects[1], "box": (0.5, 0.5, 1.0, 0.9)}]),
        changed(objects=[objects[0], {**objects[1], "attributes": ("red",)}]),
    ]
    found = [fingerprints.of_condition(scene, None) for scene in [SCENE, *others]]
    found += [fingerprints.of_condition(SCENE, shown), fingerprints.of_condition(SCENE, shown + 1)]
    assert len(set(found)) == len(found) and all(len(text) == 16 for text in found)


def test_fingerprint_of_noise_is_of_every_scale_of_a_row():
    noise = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 8, 8)
    found = fingerprints.of_noise(noise)
    assert len(set(found)) == 3
    assert fingerprints.of_noise(tuple(scale[1:2] for scale in noise)) == found[1:2]
    for scale in (0, 1):
        other = tuple(part.clone() for part in noise)
        other[scale][1, 0, 0, 0] += 1e-6
        assert [mine == yours for mine, yours in zip(found, fingerprints.of_noise(other), strict=True)] == [
            True,
            False,
            True,
        ]
    assert fingerprints.together(found) != fingerprints.together(found[::-1])


def test_evenly():
    assert evenly(3, most=8) == [0, 1, 2] and evenly(8, most=8) == list(range(8)) and evenly(1, most=8) == [0]
    assert evenly(1000, most=8) == [0, 143, 285, 428, 571, 714, 856, 999]
