import numpy as np
import pytest
import torch

from frido.contracts.metric import Part, Pictures
from frido.contracts.scene import Object, Relationship, Scene
from frido.metrics.derangement import derangement
from frido.metrics.finder import WEIGHTS, Found, peaks, without_repeats
from frido.metrics.judge import Judge
from tests.metrics.pictures import batches, held_out


@pytest.fixture(scope="module")
def make():
    def fresh() -> Judge:
        return Judge(threshold=0.5)

    return fresh


def scores(judge: Judge, generated, real, scenes, batch: int = 100) -> dict[str, float]:
    for of_real, of_generated, described in batches(real, generated, scenes, size=batch):
        judge.update(real=of_real, generated=of_generated, scenes=described)
    return judge.compute()


def test_real_held_out_scenes_pass(make):
    images, scenes = held_out(400)
    numbers = scores(make(), images, images, scenes)
    assert numbers["judge/recall"] >= 0.97
    assert numbers["judge/precision"] >= 0.97
    assert numbers["judge/relations"] >= 0.93  # directions near 45 degrees are a matter of one pixel
    assert numbers["judge/recall_real"] == numbers["judge/recall"]
    assert numbers["judge/recall_shuffled"] < 0.15  # 48 kinds of object, two a scene
    assert numbers["judge/relations_shuffled"] < 0.1


def test_blank_images_score_zero(make):
    images, scenes = held_out(60)
    blank = torch.randint(0, 256, (60, 3, 1, 1), dtype=torch.uint8).expand(-1, -1, 64, 64).contiguous()
    numbers = scores(make(), blank, images, scenes)
    assert (numbers["judge/recall"], numbers["judge/precision"], numbers["judge/relations"]) == (0, 0, 0)
    assert numbers["judge/recall_real"] > 0.9


def test_batches_and_order_do_not_change_the_numbers(make):
    images, scenes = held_out(60)
    generated = images.flip(3)
    whole = scores(make(), generated, images, scenes)
    backwards = torch.arange(59, -1, -1)
    assert scores(make(), generated[backwards], images[backwards], scenes[::-1], batch=7) == pytest.approx(whole)
    # A mirrored image shows the same objects in other places.
    assert whole["judge/recall"] == pytest.approx(whole["judge/recall_real"], abs=0.03)
    assert whole["judge/relations"] < whole["judge/relations_real"] - 0.1  # above, below and near survive


def test_places_are_close(make):
    images, scenes = held_out(200, max_objects=1)
    errors = []
    for image, scene in zip(make().finder.find(images), scenes, strict=True):
        if len(image) == 1:
            errors.append(np.abs(np.subtract(image[0].box, scene.objects[0].box)).max())
    assert len(errors) >= 190
    assert np.mean(errors) < 1.5 / 64  # pixels over side


def test_other_sizes_are_resized(make):
    images, scenes = held_out(100)
    large = torch.nn.functional.interpolate(images.float(), (160, 160), mode="bilinear").round().byte()
    numbers = scores(make(), large, large, scenes)
    assert numbers["judge/recall"] > 0.9


def test_each_row_is_judged_alone(make):
    images, _ = held_out(20)
    finder = make().finder
    together, alone = finder.find(images), [finder.find(image[None])[0] for image in images]
    assert [[item.name for item in found] for found in together] == [[item.name for item in found] for found in alone]


def test_peaks_hide_their_own_kind_only():
    score = torch.zeros(1, 4, 4)
    score[0, 1, 1:4] = torch.tensor([0.9, 0.8, 0.7])
    kind = torch.tensor([0, 0, 0, 1]).expand(1, 4, 4)
    assert torch.nonzero(peaks(score, kind) & (score > 0)).tolist() == [[0, 1, 1], [0, 1, 3]]


def test_one_object_is_not_seen_twice():
    box, shifted, inside = (0.2, 0.2, 0.6, 0.6), (0.22, 0.2, 0.62, 0.6), (0.3, 0.3, 0.5, 0.5)
    surest, again, other = (
        Found("star", "red", box, 0.9),
        Found("star", "white", shifted, 0.8),
        Found("star", "red", inside, 0.7),
    )
    assert without_repeats([surest, again, other]) == [surest, other]


@pytest.mark.parametrize("ids", [list("abcdefg"), list("gabfced"), list("aabbcc"), list("abacab")])
def test_derangement_gives_every_row_another_scene(ids):
    other = derangement(ids)
    assert sorted(other) == list(range(len(ids)))
    assert all(ids[i] != ids[k] for i, k in enumerate(other))


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "a", "b"]])
def test_no_derangement_where_none_exists(ids):
    assert derangement(ids) == []


def test_unknown_words_are_refused_and_named(make):
    images, scenes = held_out(4)
    judge = make()
    tree = Scene("photo", (Object("tree", (0.0, 0.0, 1.0, 1.0), ("green",)),))
    assert scores(judge, images, images, [*scenes[:3], tree]) == {}
    assert set(judge.card()["refused"]) == {"judge/recall", "judge/precision", "judge/relations"}
    assert "tree" in judge.card()["refused"]["judge/recall"]
    report = judge.found(images[3], tree)
    assert report[0]["found"] is False
    assert "knows no 'tree'" in report[0]["why"]


def test_the_report_on_a_drawn_scene_names_what_is_missing(make, monkeypatch):
    judge = make()
    seen = [Found("circle", "red", (0.0, 0.4, 0.2, 0.6), 0.9), Found("square", "blue", (0.8, 0.4, 1.0, 0.6), 0.8)]
    monkeypatch.setattr(judge.finder, "find", lambda images: [seen])
    wanted = Scene(
        "mine",
        (
            Object("circle", (0.0, 0.0, 1.0, 1.0), ("red",)),
            Object("star", (0.0, 0.0, 1.0, 1.0)),
            Object("square", (0.0, 0.0, 1.0, 1.0), ("blue",)),
        ),
        (Relationship(0, "above", 2), Relationship(2, "right of", 0), Relationship(0, "left of", 1)),
    )
    circle, star, square = judge.found(torch.zeros(3, 64, 64, dtype=torch.uint8), wanted)
    assert (circle["object"], circle["found"]) == (0, True)
    assert "not above the blue square" in circle["why"]
    assert "not left of the star, which is missing" in circle["why"]
    assert (star["object"], star["found"]) == (1, False)
    assert star["why"].startswith("no star")
    assert square["found"]
    assert "not" not in square["why"]


def test_shipped_weights_are_small():
    assert WEIGHTS.stat().st_size < 2_000_000


# Parts and scenes


def test_parts_add_up_to_the_whole(make):
    images, scenes = held_out(120)
    judge = make()
    numbers = scores(judge, images.flip(3), images, scenes)
    parts = judge.parts()
    assert set(parts) == {
        f"judge/{name}{side}" for name in ("recall", "precision", "relations") for side in ("", "_real")
    }
    for name, found in parts.items():
        for kind in {part.split()[0] for part in found}:
            of_kind = [part for word, part in found.items() if word.startswith(f"{kind} ")]
            count = sum(part.count for part in of_kind)
            assert sum(part.value * part.count for part in of_kind) / count == pytest.approx(numbers[name], abs=1e-12)
    wanted = {"shape", "colour", "objects"}
    assert {word.split()[0] for word in parts["judge/recall"]} == wanted
    assert {word.split()[0] for word in parts["judge/relations"]} == {"predicate", "objects"}
    circles = sum(item.category == "circle" for scene in scenes for item in scene.objects)
    assert parts["judge/recall"]["shape circle"].count == circles
    single = [scene for scene in scenes if len(scene.objects) == 1]
    assert parts["judge/recall"]["objects 1"].count == len(single)


def test_parts_by_hand(make, monkeypatch):
    """Asked for: a red circle above a blue square, and a star. Found: the circle, below a square of another colour."""
    judge = make()
    seen = [Found("circle", "red", (0.4, 0.8, 0.6, 1.0), 0.9), Found("square", "green", (0.4, 0.0, 0.6, 0.2), 0.8)]
    monkeypatch.setattr(judge.finder, "find", lambda images: [seen] * len(images))
    box = (0.0, 0.0, 1.0, 1.0)
    wanted = Scene(
        "mine",
        (Object("circle", box, ("red",)), Object("square", box, ("blue",)), Object("star", box)),
        (Relationship(0, "above", 1),),
    )
    image = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    numbers = scores(judge, image, image, [wanted])
    assert judge.rows() == {0: {"judge/recall": 1 / 3, "judge/precision": 1 / 2, "judge/relations": 0.0}}
    assert numbers["judge/recall"] == 1 / 3 and "judge/recall_shuffled" not in numbers
    assert judge.parts()["judge/recall"] == {
        "colour blue": Part(0.0, 1),
        "colour red": Part(1.0, 1),
        "objects 3": Part(1 / 3, 3),
        "shape circle": Part(1.0, 1),
        "shape square": Part(0.0, 1),
        "shape star": Part(0.0, 1),
    }
    assert judge.parts()["judge/precision"]["colour green"] == Part(0.0, 1)
    assert judge.parts()["judge/relations"] == {"objects 3": Part(0.0, 1), "predicate above": Part(0.0, 1)}


def test_scenes_are_told_by_position(make):
    images, scenes = held_out(30)
    judge, backwards = make(), make()
    scores(judge, images, images, scenes)
    order = torch.arange(29, -1, -1)
    sides = {name: Pictures(order, images[order]) for name in ("real", "generated")}
    backwards.update(**sides, scenes=scenes[::-1])
    assert backwards.compute() == judge.compute()
    assert list(backwards.rows()) == list(range(30)) and backwards.rows() == judge.rows()
    assert judge.rows()[0].keys() >= {"judge/recall", "judge/precision"}
