"""What every conditioner promises, and what scene graphs add."""

import pytest
import torch

from frido.contracts.batch import Annotations
from frido.contracts.scene import Vocabulary
from tests.denoisers import options

VOCABULARY = Vocabulary(("circle", "square", "star"), ("red", "blue", "large", "small"), ("left of", "above", "near"))


def scenes(objects=3, triples=2):
    """Two scenes: three objects with two triples, one object with none; padded to the given sizes."""
    categories = torch.full((2, objects), -1)
    attributes = torch.full((2, objects, 2), -1)
    boxes = torch.zeros(2, objects, 4)
    relationships = torch.full((2, triples, 3), -1)
    categories[0, :3], categories[1, 0] = torch.tensor([0, 1, 0]), 2
    attributes[0, :3] = torch.tensor([[0, 2], [1, -1], [0, 2]])
    attributes[1, 0] = torch.tensor([3, 1])
    boxes[0, :3] = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    boxes[1, 0] = torch.tensor([0.1, 0.2, 0.5, 0.9])
    relationships[0, :2] = torch.tensor([[0, 0, 1], [1, 1, 2]])
    return Annotations(categories, attributes, boxes, relationships)


def build(name):
    torch.manual_seed(0)
    return options.build("conditioning", name)(vocabulary=VOCABULARY).eval()


@pytest.fixture(params=options.names("conditioning"))
def conditioner(request):
    return build(request.param)


def same(context, other):
    return all((a is None and b is None) or torch.equal(a, b) for a, b in zip(context, other, strict=True))


def test_width_is_that_of_its_tokens(conditioner):
    context = conditioner(scenes())
    assert (context.tokens is None) == (conditioner.width == 0)
    if context.tokens is not None:
        assert context.tokens.shape[-1] == conditioner.width


def test_empty_has_the_shapes_of_the_full(conditioner):
    for annotations in (scenes(), scenes(5, 4)):
        full, empty = conditioner(annotations), conditioner.empty(annotations)
        for a, b in zip(full, empty, strict=True):
            assert (a is None and b is None) or (a.shape == b.shape and a.dtype == b.dtype)


def test_empty_says_nothing_of_the_scene(conditioner):
    annotations = scenes()
    other = annotations._replace(categories=annotations.categories.flip(0), boxes_xyxy=annotations.boxes_xyxy.flip(0))
    assert same(conditioner.empty(annotations), conditioner.empty(other))
    if conditioner.width:
        empty = conditioner.empty(annotations)
        assert empty.mask.sum(1).tolist() == [1, 1]
        assert not torch.allclose(empty.tokens[:, 0], conditioner(annotations).tokens[:, 0])


def test_padding_changes_nothing(conditioner):
    if conditioner.width == 0:
        return
    tight, loose = conditioner(scenes()), conditioner(scenes(6, 5))
    for row in range(2):
        expected, found = (c.tokens[row][c.mask[row]] for c in (tight, loose))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_scene_without_objects_is_a_context(conditioner):
    annotations = scenes()
    nothing = Annotations(*(torch.full_like(tensor, -1) for tensor in annotations))
    context = conditioner(nothing)
    if context.tokens is not None:
        assert context.mask.any(dim=1).all()
        assert context.tokens.isfinite().all()


def test_training_reaches_every_parameter(conditioner):
    annotations = scenes()
    total = torch.zeros(())
    for context in (conditioner(annotations), conditioner.empty(annotations)):
        if context.tokens is not None:
            weights = torch.randn(context.tokens.shape, generator=torch.Generator().manual_seed(1))
            total = total + (context.tokens * weights).sum()
    if total.requires_grad:
        total.backward()
    assert [name for name, parameter in conditioner.named_parameters() if parameter.grad is None] == []


def permuted(annotations, order):
    """Return the first scene's objects in another order, triples renumbered to match."""
    place = torch.empty(len(order), dtype=torch.long)
    place[order] = torch.arange(len(order))
    relationships = annotations.relationships.clone()
    real = relationships[..., 1] >= 0
    for end in (0, 2):
        relationships[..., end][real] = place[relationships[..., end][real]]
    return Annotations(
        annotations.categories[:, order],
        annotations.attributes[:, order],
        annotations.boxes_xyxy[:, order],
        relationships,
    )


@pytest.mark.parametrize("name", ["scene_graph", "layout"])
def test_order_of_objects_means_nothing(name):
    conditioner = build(name)
    annotations = Annotations(*(tensor[:1] for tensor in scenes()))
    order = torch.tensor([2, 0, 1])
    plain, moved = conditioner(annotations), conditioner(permuted(annotations, order))
    num_objects = annotations.categories.shape[1]
    torch.testing.assert_close(moved.tokens[:, 0], plain.tokens[:, 0], atol=1e-5, rtol=1e-5)
    objects, rest = plain.tokens[:, 1 : 1 + num_objects], plain.tokens[:, 1 + num_objects :]
    torch.testing.assert_close(moved.tokens[:, 1 : 1 + num_objects], objects[:, order], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moved.tokens[:, 1 + num_objects :], rest, atol=1e-5, rtol=1e-5)


def test_order_of_attributes_means_nothing():
    conditioner, annotations = build("scene_graph"), scenes()
    moved = annotations._replace(attributes=annotations.attributes.flip(-1))
    torch.testing.assert_close(conditioner(moved).tokens, conditioner(annotations).tokens, atol=1e-5, rtol=1e-5)


def test_triples_tell_equal_objects_apart():
    """The first and third object of the first scene are both a large red circle; only their triples differ."""
    conditioner, annotations = build("scene_graph"), scenes()
    tokens = conditioner(annotations).tokens
    assert not torch.allclose(tokens[0, 1], tokens[0, 3], atol=1e-3)
    alone = annotations._replace(relationships=torch.full_like(annotations.relationships, -1))
    tokens = conditioner(alone).tokens
    torch.testing.assert_close(tokens[0, 1], tokens[0, 3], atol=1e-5, rtol=1e-5)


def test_direction_and_predicate_of_a_triple_matter():
    conditioner, annotations = build("scene_graph"), scenes()
    plain = conditioner(annotations).tokens
    for change in ([[1, 0, 0], [1, 1, 2]], [[0, 2, 1], [1, 1, 2]]):
        relationships = annotations.relationships.clone()
        relationships[0] = torch.tensor(change)
        assert not torch.allclose(conditioner(annotations._replace(relationships=relationships)).tokens, plain)


def test_layout_reads_boxes_and_scene_graph_does_not():
    annotations = scenes()
    moved = annotations._replace(boxes_xyxy=annotations.boxes_xyxy + 0.05)
    assert not torch.allclose(build("layout")(moved).tokens, build("layout")(annotations).tokens)
    assert torch.equal(build("scene_graph")(moved).tokens, build("scene_graph")(annotations).tokens)
