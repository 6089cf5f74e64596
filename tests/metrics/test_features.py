import pytest
import torch

from frido.contracts.errors import FridoError
from frido.contracts.metric import Pictures
from frido.metrics.features.batches import Batches, digests_of
from frido.metrics.features.inception import FILES, Inception
from frido.metrics.features.inception_if_found import InceptionIfFound
from frido.metrics.features.scenes import WEIGHTS, SceneFeatures
from frido.metrics.full_batches import ROWS
from tests.metrics.pictures import held_out

PUBLISHED = "6726825d"


@pytest.fixture(scope="module")
def extractor() -> SceneFeatures:
    return SceneFeatures()


def looked_at(extractor, images, size):
    """Return features by position, of images that came in batches of `size`."""
    batches, found = Batches(extractor), []
    for rows in torch.arange(len(images)).split(size):
        found += batches.add(Pictures(rows, images[rows]), digests_of(images[rows]))
    found += batches.rest()
    positions = torch.cat([rows.positions for rows in found])
    assert sorted(positions.tolist()) == list(range(len(images)))
    return torch.cat([rows.features for rows in found])[positions.argsort()]


def test_names_the_largest_object_of_held_out_scenes(extractor):
    images, scenes = held_out(300, max_objects=1)
    names = [extractor.words[i] for i in extractor.extract(images).logits.argmax(1).tolist()]
    expected = [f"{scene.objects[0].attributes[0]} {scene.objects[0].category}" for scene in scenes]
    assert sum(a == b for a, b in zip(names, expected, strict=True)) / len(names) >= 0.97


def test_features_of_an_image_depend_on_nothing_else_to_the_last_bit(extractor):
    images, _ = held_out(2 * ROWS + 5)
    together = looked_at(extractor, images, 100)
    for size in (1, 7, ROWS):
        assert torch.equal(looked_at(extractor, images, size), together)
    alone = torch.cat([looked_at(extractor, image[None], 1) for image in images[-5:]])
    assert torch.equal(alone, together[-5:])
    backwards = looked_at(extractor, images.flip(0), 100)
    assert torch.equal(backwards.flip(0), together)


def test_images_of_several_sizes_are_looked_at_with_their_like(extractor):
    images, _ = held_out(9)
    large = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    batches, found = Batches(extractor), []
    for row in range(9):
        for position, image in ((row, images[row]), (row + 9, large[row])):
            found += batches.add(Pictures(torch.tensor([position]), image[None]), digests_of(image[None]))
    found += batches.rest()
    rows = {int(p): f for part in found for p, f in zip(part.positions, part.features, strict=True)}
    assert torch.equal(torch.stack([rows[k] for k in range(9)]), looked_at(extractor, images, 9))
    assert torch.equal(torch.stack([rows[k] for k in range(9, 18)]), looked_at(extractor, large, 9))


def test_digests_tell_images_apart_that_have_the_same_bytes():
    wide = torch.arange(24, dtype=torch.uint8).reshape(1, 3, 2, 4)
    assert digests_of(wide) != digests_of(wide.reshape(1, 3, 4, 2))
    assert digests_of(wide) == digests_of(wide.clone())


def test_shipped_weights_are_small():
    assert WEIGHTS.stat().st_size < 2_000_000


def test_missing_inception_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FridoError) as error:
        Inception(weights=None, sha256=PUBLISHED)
    assert str(tmp_path / "hub" / "checkpoints" / FILES[0]) in str(error.value)
    assert "metrics=scenes" in error.value.do


def test_without_inception_what_is_asked_for_by_name_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert "docs/datasets.md" in InceptionIfFound(weights=None, sha256=PUBLISHED).missing
    with pytest.raises(FridoError):
        InceptionIfFound(weights=str(tmp_path / "typo.pth"), sha256=PUBLISHED)


def test_inception_with_another_hash_is_refused(tmp_path):
    path = tmp_path / FILES[0]
    path.write_bytes(b"not the weights")
    with pytest.raises(FridoError, match=PUBLISHED):
        Inception(weights=str(path), sha256=PUBLISHED)
