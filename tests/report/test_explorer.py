"""Pictures with cards: read strictly, joined where they show the same, stored small."""

import io
import json
import re
import shutil
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.report import explorer, filmstrips, grids, moments, reconstructions
from frido.report.gather import gather
from tests.report import pictured
from tests.report.conftest import fabricate, scene
from tests.report.pictured import COLUMNS, MOMENTS, SIDE


def pixels(picture):
    content = b64decode(picture.uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def band(path, top):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)[top : top + SIDE]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    for width in (32, 64):
        for seed in (0, 1):
            pictured.all_of(fabricate(root, name=f"w{width}s{seed}", width=width, seed=seed, scenes=2), seed=seed)
    return root / "runs"


@pytest.fixture
def runs(made_once, tmp_path):
    """Two arms of two seeds."""
    shutil.copytree(made_once, tmp_path / "runs")
    return [tmp_path / "runs" / "vg_sg2im" / f"w{width}s{seed}" for width in (32, 64) for seed in (0, 1)]


def section(kind, runs):
    return kind.section(gather(runs, scenes=4))


def test_rows_are_told_by_the_noise_they_began_with(runs):
    (panel,) = section(explorer, runs).values["panels"]
    assert [len(rows) for _, rows in panel.arms] == [2, 2] and panel.noises == 2
    assert [row.letter for row in panel.rows] == ["A", "B", "A", "B"]
    assert [row.kinds for row in panel.rows] == [(0,) * COLUMNS, (1,) * COLUMNS] * 2
    assert [column.title for column in panel.columns] == [f"val-{row:06d}" for row in range(COLUMNS)]
    assert panel.real.width == COLUMNS * SIDE and panel.real.height == SIDE and "<svg" in panel.columns[0].graph


def test_noise_is_compared_column_by_column(runs):
    place = runs[2] / "pictures" / "samples" / "grid.json"
    card = json.loads(place.read_text())
    card["items"][2]["noise"] = "another"
    place.write_text(json.dumps(card))
    (panel,) = section(explorer, runs).values["panels"]
    assert panel.rows[2].kinds == (0, 0, 2, 0) and panel.rows[2].letter == "A/C" and panel.noises == 3


def test_the_last_picture_is_the_runs_own_pixels(runs):
    (panel,) = section(explorer, runs).values["panels"]
    shots = panel.rows[2].shots
    folder = runs[2] / "pictures" / "samples"
    assert [shot.images for shot in shots] == list(MOMENTS)
    assert np.array_equal(pixels(shots[-1].picture), band(folder / f"{MOMENTS[-1]:012d}.png", SIDE))
    assert np.array_equal(pixels(panel.real), band(folder / f"{MOMENTS[-1]:012d}.png", 0))
    earlier = np.abs(pixels(shots[0].picture) - band(folder / f"{MOMENTS[0]:012d}.png", SIDE))
    assert 0 < earlier.mean() < 8, "with a little loss"


def test_one_slider_for_runs_of_other_moments(runs):
    """Each shows its latest picture not after the stop."""
    pictured.samples(runs[1], seed=1, moments=(4096, 20000))
    found = section(explorer, runs)
    stops = found.values["stops"]
    assert stops == (4096, 8192, 16384, 20000, 24576, 32768) and found.data["stops"] == stops
    (panel,) = found.values["panels"]
    assert [shot.images for shot in panel.rows[1].shots] == [4096, 20000]


def test_as_many_moments_as_fit(runs, monkeypatch):
    whole = section(explorer, runs)
    assert whole.values["exact"]
    monkeypatch.setattr(explorer, "BYTES", 2_000)
    few = section(explorer, runs)
    assert few.values["stops"] == (MOMENTS[0], MOMENTS[-1]) and not few.values["exact"]


def test_other_conditions_are_another_panel(runs):
    pictured.samples(runs[3], seed=1, first=1)
    panels = section(explorer, runs).values["panels"]
    assert [[row.member.place for row in panel.rows] for panel in panels] == [[0, 1, 2], [3]]
    assert panels[1].columns[0].title == "val-000001"


def test_pictures_from_before_the_card_are_shown_as_they_are(runs):
    """So are those of another size, which a run that went on from an earlier checkpoint has still."""
    pictured.samples(runs[0], seed=0, since=MOMENTS[2])
    with Image.open(runs[0] / "pictures" / "samples" / f"{MOMENTS[3]:012d}.png") as image:
        image.crop((0, 0, SIDE, SIDE)).save(runs[0] / "pictures" / "samples" / "000000040000.png")
    subject = gather(runs[:1], scenes=4)
    (panel,) = explorer.section(subject).values["panels"]
    assert [shot.images for shot in panel.rows[0].shots] == list(MOMENTS[2:])
    (left,) = moments.moments(subject)
    assert [re.sub(r"\D", "", text) for text, _ in left.pictures] == [*map(str, MOMENTS[:2]), "40000"]


def test_runs_without_cards_are_shown_as_before(make_run):
    subject = gather([make_run()], scenes=4)
    assert [make.section(subject) for make in (explorer, filmstrips, reconstructions)] == [None] * 3
    assert {group.name for group in moments.moments(subject)} == {"samples", "reconstructions"}


def test_a_shared_first_stage_is_shown_once(runs):
    (stage,) = section(reconstructions, runs).values["stages"]
    assert len(stage.members) == 4 and stage.rows == ("real", "scale 0", "scales 0 to 1", "scale 1 alone")
    assert [images for images, _ in stage.shots] == [6400, 12800]
    assert stage.shots[0][1].height == 4 * SIDE


def test_strips_of_one_run_of_each_arm(runs):
    found = section(filmstrips, runs).values
    assert found["one_of"] and [scene.title for scene in found["scenes"]] == ["val-000000", "val-000001"]
    for shown in found["scenes"]:
        assert [strip.member.place for strip in shown.strips] == [0, 2] and shown.noises == 1
        for strip in shown.strips:
            assert [(row.name, row.told) for row in strip.rows] == [
                ("scale 0", "steps 0, 3, 6, 9; time 999 to 99"),
                ("scale 1", "steps 0, 4; time 999 to 599"),
            ]
            assert [row.picture.width for row in strip.rows] == [4 * SIDE, 2 * SIDE], "not what is left black"


def test_as_many_scenes_as_fit(runs, monkeypatch):
    monkeypatch.setattr(filmstrips, "BYTES", 1)
    assert len(section(filmstrips, runs).values["scenes"]) == 1


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("pictures/samples/grid.json", "tile", "wide"),
        ("pictures/samples/grid.json", "items", [{"scene": "a"}]),
        ("pictures/samples/grid.json", "rows", []),
        ("samples/test/filmstrips/card.json", "columns", [[]]),
    ],
)
def test_malformed_cards_are_named(runs, place, key, value):
    card = json.loads((runs[0] / place).read_text())
    (runs[0] / place).write_text(json.dumps({**card, key: value}))
    with pytest.raises(FridoError, match=place.rpartition("/")[2]):
        for kind in (explorer, filmstrips):
            section(kind, runs)


def test_a_file_that_is_no_picture_is_named(runs):
    path = runs[0] / "pictures" / "samples" / f"{MOMENTS[0]:012d}.png"
    path.write_text("no picture")
    with pytest.raises(FridoError, match=path.name):
        section(explorer, runs)


def test_where_a_row_lies():
    item = grids.Item(scene(0), "", "")
    grid = grids.Grid(4, 6, 2, ("real", "generated"), (item,) * 3, 0)
    assert grid.size == (16, 14) and grid.band("generated") == (0, 8, 16, 14)
