"""The image as a node of its graph."""

import io

import numpy as np
from PIL import Image

from frido.data.shards import Shards


def test_every_scene_has_it_last_and_every_object_is_in_it(tmp_path, dataset, make_source, make_packing):
    make_packing(image_node=True).write(make_source(), tmp_path / "out", quiet=True)
    ours, plain = Shards.below(tmp_path / "out", "train"), Shards.below(dataset, "train")
    assert ours.vocabulary.categories == ("__image__", *plain.vocabulary.categories)
    assert ours.vocabulary.predicates == ("__in_image__", *plain.vocabulary.predicates)
    for row in range(len(plain)):
        scene, without = ours.scene(row), plain.scene(row)
        *objects, image = scene.objects
        assert tuple(objects) == without.objects and image.category == "__image__" and image.box == (0, 0, 1, 1)
        told = scene.relationships[len(without.relationships) :]
        assert scene.relationships[: len(without.relationships)] == without.relationships
        assert [(one.subject, one.predicate, one.object) for one in told] == [
            (number, "__in_image__", len(objects)) for number in range(len(objects))
        ]


def test_segments_keep_their_categories(tmp_path, make_source, make_packing):
    source = make_source(train=4, val=0, test=0, segmentation=True)
    for name, image_node in (("plain", False), ("node", True)):
        make_packing(image_node=image_node).write(source, tmp_path / name, quiet=True)
    plain, ours = (Shards.below(tmp_path / name, "train") for name in ("plain", "node"))
    for row in range(4):
        values = [np.asarray(Image.open(io.BytesIO(rows.scene(row).segmentation))) for rows in (plain, ours)]
        assert values[0].any() and (values[1] == np.where(values[0] > 0, values[0] + 1, 0)).all()


def test_batches_have_room_for_it(tmp_path, make_source, make_packing, make_reading):
    """Of the limits it takes nothing, and neither an object nor its tie to the image is cut off for another."""
    make_packing(image_node=True).write(make_source(), tmp_path / "out", quiet=True)
    rows = Shards.below(tmp_path / "out", "train")
    batch = make_reading(max_objects=2, max_relationships=1).batch(rows, range(60))
    categories, relationships = batch.annotations.categories, batch.annotations.relationships
    assert categories.shape == (60, 3) and relationships.shape == (60, 3, 3)
    assert any(len(rows.scene(row).objects) > 3 for row in range(60)), "some scenes have more objects than are kept"
    for row in range(60):
        objects, node = int((categories[row] > 0).sum()), categories[row].tolist().index(0)
        kept = min(2, len(rows.scene(row).objects) - 1)
        assert objects == node == kept, "the node is last"
        ties = relationships[row][relationships[row, :, 1] == 0]
        assert ties.tolist() == [[number, 0, node] for number in range(kept)]
