from frido.contracts.scene import Object, Relationship, Scene
from frido.metrics.finder import Found
from frido.metrics.matching import Wish, broken, match, wishes_of

COLOURS = ("red", "blue")
LEFT, RIGHT = (0.0, 0.4, 0.2, 0.6), (0.8, 0.4, 1.0, 0.6)


def scene(*names: str, relationships: tuple[tuple[int, str, int], ...] = ()) -> Scene:
    """Return a scene of objects such as "red circle" or "circle"."""
    objects = tuple(Object(name.split()[-1], (0.0, 0.0, 1.0, 1.0), (*name.split()[:-1], "large")) for name in names)
    return Scene("s", objects, tuple(Relationship(*r) for r in relationships))


def found(*items: tuple[str, tuple[float, float, float, float]]) -> list[Found]:
    return [Found(name.split()[1], name.split()[0], box, 0.9) for name, box in items]


def matched(wanted: Scene, seen: list[Found]) -> list[int | None]:
    return match(wanted, wishes_of(wanted, COLOURS), seen)


def test_colour_is_the_first_attribute_that_is_one():
    wanted = Scene(
        "s",
        (Object("circle", (0.0, 0.0, 1.0, 1.0), ("large", "blue", "striped")), Object("star", (0.0, 0.0, 1.0, 1.0))),
    )
    assert wishes_of(wanted, COLOURS) == [Wish("circle", "blue"), Wish("star", None)]


def test_each_find_serves_one_wish():
    assert matched(scene("red circle", "red circle"), found(("red circle", LEFT))) == [0, None]
    assert matched(scene("red circle"), found(("red circle", LEFT), ("red circle", RIGHT))) == [0]


def test_shape_and_colour_both_count():
    assert matched(scene("red circle"), found(("blue circle", LEFT), ("red star", RIGHT))) == [None]


def test_a_wish_for_any_colour_leaves_the_others_theirs():
    assert matched(scene("circle", "red circle"), found(("red circle", LEFT), ("blue circle", RIGHT))) == [1, 0]


def test_twins_are_told_apart_by_their_relationships():
    wanted = scene("red circle", "red circle", relationships=((0, "left of", 1),))
    seen = found(("red circle", RIGHT), ("red circle", LEFT))
    assert matched(wanted, seen) == [1, 0]
    assert broken(wanted, seen, [1, 0]) == []
    assert broken(wanted, seen, [0, 1]) == list(wanted.relationships)


def test_a_lone_twin_takes_the_role_that_can_hold():
    wanted = scene("red circle", "red circle", "blue star", relationships=((1, "left of", 2),))
    seen = found(("red circle", LEFT), ("blue star", RIGHT))
    assert matched(wanted, seen) == [None, 0, 1]


def test_a_relationship_with_a_missing_end_does_not_hold():
    wanted = scene("red circle", "blue star", relationships=((0, "left of", 1),))
    seen = found(("red circle", LEFT))
    assert broken(wanted, seen, matched(wanted, seen)) == list(wanted.relationships)


def test_words_without_geometry_are_not_counted():
    wanted = scene("red circle", "blue star", relationships=((0, "wearing", 1),))
    assert broken(wanted, [], [None, None]) == []


def test_a_crowd_of_twins_takes_no_time():
    wanted = scene(*["red circle"] * 14, relationships=((0, "left of", 1), (0, "right of", 1)))
    seen = found(*[("red circle", LEFT)] * 14)
    assert sorted(matched(wanted, seen)) == list(range(14))
