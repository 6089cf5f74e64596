"""What scene graphs and layouts say, and what they leave out."""

import pytest
import torch

from frido.conditioning.scene_graph import Ties
from frido.contracts.batch import Annotations
from tests.conditioning.given import build, scenes, uncropped


def biased(name):
    """Return a conditioner whose biases, which start at 0, are those of a trained one."""
    conditioner = build(name)
    if name == "scene_graph":
        torch.nn.init.normal_(conditioner.ties)
    return conditioner


def permuted(annotations, order):
    """Return the scenes' objects in another order, triples renumbered to match."""
    place = torch.empty(len(order), dtype=torch.long)
    place[order] = torch.arange(len(order))
    relationships = annotations.relationships.clone()
    real = relationships[..., 1] >= 0
    for end in (0, 2):
        relationships[..., end][real] = place[relationships[..., end][real]]
    return annotations._replace(
        categories=annotations.categories[:, order],
        attributes=annotations.attributes[:, order],
        boxes_xyxy=annotations.boxes_xyxy[:, order],
        relationships=relationships,
    )


@pytest.mark.parametrize("name", ["scene_graph", "layout", "label_set"])
def test_order_of_objects_means_nothing(name):
    conditioner = biased(name)
    annotations = Annotations(*(tensor[:1] for tensor in scenes()))
    order = torch.tensor([2, 0, 1])
    plain, moved = conditioner(annotations), conditioner(permuted(annotations, order))
    num_objects = annotations.categories.shape[1]
    torch.testing.assert_close(moved.tokens[:, 0], plain.tokens[:, 0], atol=1e-5, rtol=1e-5)
    objects, rest = plain.tokens[:, 1 : 1 + num_objects], plain.tokens[:, 1 + num_objects :]
    torch.testing.assert_close(moved.tokens[:, 1 : 1 + num_objects], objects[:, order], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moved.tokens[:, 1 + num_objects :], rest, atol=1e-5, rtol=1e-5)


def test_order_of_triples_means_nothing():
    conditioner, annotations = biased("scene_graph"), scenes()
    plain = conditioner(annotations).tokens
    moved = conditioner(annotations._replace(relationships=annotations.relationships.flip(1))).tokens
    torch.testing.assert_close(moved[:, :4], plain[:, :4], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moved[:, 4:], plain[:, 4:].flip(1), atol=1e-5, rtol=1e-5)


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


def chains(*lengths):
    """Return a scene of eight equal circles in chains, each left of the next."""
    triples, start = [], 0
    for length in lengths:
        triples += [[circle, 0, circle + 1] for circle in range(start, start + length - 1)]
        start += length
    return Annotations(
        torch.zeros(1, start, dtype=torch.long),
        torch.full((1, start, 1), -1),
        torch.zeros(1, start, 4),
        torch.tensor([triples]),
        torch.zeros(1, 8, dtype=torch.uint8),
        *uncropped(1),
    )


def test_attention_follows_the_graph():
    """Neighbours are the same in chains of 4 and 4 as in chains of 3 and 5; neighbours of neighbours are not."""
    conditioner = build("scene_graph")
    torch.testing.assert_close(conditioner(chains(4, 4)).tokens[0, 2], conditioner(chains(3, 5)).tokens[0, 2])
    torch.nn.init.normal_(conditioner.ties)
    assert not torch.allclose(conditioner(chains(4, 4)).tokens[0, 2], conditioner(chains(3, 5)).tokens[0, 2], atol=1e-4)


def test_ties_go_both_ways():
    """Objects 0 to 2, triples 3 and 4: (0, 1), and (1, 1); padding is tied to nothing."""
    ties = Ties.of(torch.tensor([[0, 1, -1]]), torch.tensor([[1, 1, -1]]), num_objects=3)
    found = {name: tie[0].nonzero().tolist() for name, tie in ties._asdict().items()}
    assert found == {
        "subject_to_triple": [[0, 3], [1, 4]],
        "triple_to_subject": [[3, 0], [4, 1]],
        "object_to_triple": [[1, 3], [1, 4]],
        "triple_to_object": [[3, 1], [4, 1]],
    }


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


@pytest.mark.parametrize("name", ["layout", "scene_graph"])
def test_labels_and_attributes_are_read(name):
    annotations = scenes()
    for change in ({"categories": annotations.categories.clamp(max=0)}, {"attributes": annotations.attributes - 1}):
        other = annotations._replace(**{key: value.clamp(min=-1) for key, value in change.items()})
        assert not torch.allclose(build(name)(other).tokens, build(name)(annotations).tokens)
