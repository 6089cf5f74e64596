"""The drawing tells the whole scene and nothing outside its frame."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from frido.contracts.scene import Object, Relationship, Scene
from frido.report import graph
from frido.report.layout import arrange, has_boxes
from frido.report.sheet import paint, sheet

SVG = "{http://www.w3.org/2000/svg}"


def many(count: int) -> Scene:
    """A crowd: every box near the middle, every pair related both ways."""
    things = [Object(f"thing{i}", (0.4, 0.4, 0.5 + 0.01 * i, 0.6), ("large", "red")) for i in range(count)]
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    return Scene("crowd", tuple(things), tuple(Relationship(i, f"p{i}to{j}", j) for i, j in pairs), width=64, height=64)


SCENES = {
    "none": Scene("none"),
    "one": Scene("one", (Object("sun", (0.1, 0.1, 0.2, 0.2), ("yellow",)),)),
    "itself": Scene("itself", (Object("hand", (0.0, 0.0, 1.0, 1.0)),), (Relationship(0, "holds", 0),)),
    "no boxes": Scene(
        "plain",
        tuple(Object(word, (0.0, 0.0, 1.0, 1.0)) for word in ("car", "person", "grass")),
        (Relationship(0, "left of", 1), Relationship(0, "left of", 1), Relationship(0, "above", 2)),
    ),
    "crowd": many(8),
    "wide": Scene("w", (Object("x" * 200, (0.9, 0.9, 1.0, 1.0), ("y" * 90,)),), width=640, height=200),
    "markup": Scene("<svg>", (Object('<script>alert("1")</script>', (0.0, 0.0, 0.5, 1.0), ("a&b", "\x00]]>")),)),
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_every_object_and_relationship_appears_once(scene):
    root = ET.fromstring(graph.draw(scene))
    objects = [int(g.get("data-object")) for g in root.iter(f"{SVG}g") if g.get("data-object")]
    drawn = [g.get("data-relationships") for g in root.iter(f"{SVG}g") if g.get("data-relationships")]
    assert sorted(objects) == list(range(len(scene.objects)))
    assert sorted(int(i) for text in drawn for i in text.split()) == list(range(len(scene.relationships)))


def test_nodes_and_arrows_carry_their_words():
    root = ET.fromstring(graph.draw(SCENES["crowd"]))
    nodes = {g.get("data-object"): "|".join(g.itertext()) for g in root.iter(f"{SVG}g") if g.get("data-object")}
    assert "large red" in nodes["3"] and "thing3" in nodes["3"]
    arrows = {g.get("data-relationships"): [t.text for t in g.findall(f"{SVG}text")] for g in root.iter(f"{SVG}g")}
    scene = SCENES["crowd"]
    assert all(arrows[str(i)] == [r.predicate] for i, r in enumerate(scene.relationships))


def test_relationships_between_the_same_two_share_an_arrow_and_repeat_no_word():
    arrows = arrange(SCENES["no boxes"]).arrows
    assert [(arrow.relationships, arrow.label) for arrow in arrows] == [((0, 1), "left of"), ((2,), "above")]


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_everything_lies_inside_the_view_box(scene):
    drawing = arrange(scene)
    extents = [(node.x, node.y, node.width, node.height) for node in drawing.nodes]
    extents += [(arrow.label_x, arrow.label_y, arrow.label_width, 15.0) for arrow in drawing.arrows]
    for x, y, width, height in extents:
        assert width / 2 <= x <= drawing.width - width / 2
        assert height / 2 <= y <= drawing.height - height / 2
    for arrow in drawing.arrows:
        assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in (arrow.start, arrow.end))


@pytest.mark.parametrize("count", [2, 3, 5, 8, 12, 30])
def test_nodes_of_a_crowd_do_not_cover_each_other(count):
    nodes = arrange(replace(many(count), relationships=())).nodes
    for i, first in enumerate(nodes):
        for second in nodes[:i]:
            apart = abs(first.x - second.x) - (first.width + second.width) / 2
            assert max(apart, abs(first.y - second.y) - (first.height + second.height) / 2) > 0


def test_nodes_stand_where_their_boxes_are():
    boxes = ((0.0, 0.0, 0.3, 0.3), (0.7, 0.0, 1.0, 0.3), (0.0, 0.7, 0.3, 1.0))
    scene = Scene("corners", tuple(Object("x", box) for box in boxes), width=64, height=64)
    left_top, right_top, left_bottom = arrange(scene).nodes
    assert right_top.x - left_top.x > 100 and abs(right_top.y - left_top.y) < 1
    assert left_bottom.y - left_top.y > 100 and abs(left_bottom.x - left_top.x) < 1


def test_without_boxes_relationships_place_the_nodes():
    assert not has_boxes(SCENES["no boxes"])
    car, person, grass = arrange(SCENES["no boxes"]).nodes
    assert car.x < person.x and car.y < grass.y
    assert all(node.frame is None for node in (car, person, grass))


def test_a_colour_word_fills_its_node_and_other_words_do_not():
    things = (
        Object("circle", (0.0, 0.0, 0.4, 0.4), ("large", "Blue")),
        Object("dog", (0.5, 0.5, 1.0, 1.0), ("happy", "url(x)")),
    )
    text = graph.draw(Scene("colours", things))
    assert 'style="fill:blue"' in text and "url(x)" not in text.replace("happy url(x)", "")
    assert [node.color for node in arrange(Scene("c", things)).nodes] == ["blue", None]


@pytest.mark.parametrize(("color", "ink"), [("navy", "#ffffff"), ("red", "#ffffff"), ("yellow", "#111418")])
def test_ink_is_readable(color, ink):
    assert graph.ink_on(color) == ink


def test_drawing_is_a_function_of_the_scene():
    assert graph.draw(many(5)) == graph.draw(many(5))


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_pixels_are_drawn_of_every_scene(scene):
    image = paint(scene, side=200)
    assert max(image.size) == 200 and image.mode == "RGB"


def test_sheet_places_images_under_labels():
    from PIL import Image

    red, large = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (300, 150), "blue")
    page = sheet([[red, large], [red]], ["real", "generated"], side=100)
    gap, head = 5, 16
    assert page.size == (gap + 2 * (100 + gap), head + gap + 2 * (100 + gap))
    assert page.getpixel((gap + 50, gap + head + 50)) == (255, 0, 0)
    assert page.getpixel((gap + 105 + 50, gap + head + 50)) == (0, 0, 255)
    assert page.getpixel((gap + 105 + 50, gap + head + 5)) == (255, 255, 255), "kept its shape"
    assert page.getpixel((gap + 50, gap + head + 155)) == (255, 0, 0)
    with pytest.raises(ValueError, match="1 labels"):
        sheet([[red, red]], ["only"], side=10)
