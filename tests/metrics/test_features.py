import hashlib
from functools import partial

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from frido.contracts.errors import FridoError
from frido.metrics.features import inception
from frido.metrics.features.bank import FeatureBank
from frido.metrics.features.inception import FILES, Inception
from frido.metrics.features.inception_if_found import InceptionIfFound
from frido.metrics.features.scenes import WEIGHTS, SceneFeatures
from frido.metrics.fid import FID
from tests.metrics.pictures import held_out, sides


@pytest.fixture(scope="module")
def extractor() -> SceneFeatures:
    return SceneFeatures()


def test_names_the_largest_object_of_held_out_scenes(extractor):
    images, scenes = held_out(300, max_objects=1)
    names = [extractor.words[i] for i in extractor.extract(images).logits.argmax(1).tolist()]
    expected = [f"{scene.objects[0].attributes[0]} {scene.objects[0].category}" for scene in scenes]
    assert sum(a == b for a, b in zip(names, expected, strict=True)) / len(names) >= 0.97


def test_a_row_does_not_depend_on_its_batch(extractor):
    images, _ = held_out(9)
    together = extractor.extract(images)
    assert together.features.shape == (9, extractor.dimension)
    for row in (0, 8):
        alone = extractor.extract(images[row : row + 1])
        torch.testing.assert_close(alone.features[0], together.features[row], rtol=1e-4, atol=1e-4)


def test_other_sizes_are_resized(extractor):
    images, _ = held_out(9)
    assert extractor.extract(images.repeat_interleave(2, 2).repeat_interleave(2, 3)).features.shape == (
        9,
        extractor.dimension,
    )


def test_shipped_weights_are_small():
    assert WEIGHTS.stat().st_size < 2_000_000


def test_missing_inception_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FridoError) as error:
        Inception(weights=None)
    assert str(tmp_path / "hub" / "checkpoints" / FILES[0]) in str(error.value)
    assert "metrics=scenes" in error.value.do


def test_without_inception_numbers_of_photographs_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    bank = FeatureBank(extractor=InceptionIfFound(weights=None), statistics={"fid": partial(FID, minimum=100)})
    images, scenes = held_out(3)
    real, generated = sides(images, images)
    bank.update(real=real, generated=generated, scenes=scenes)
    assert bank.compute() == {}
    assert bank.card()["refused"] == {
        "fid/inception": "no Inception weights here; docs/datasets.md says how to have them"
    }
    with pytest.raises(FridoError):  # what is asked for by name must be there
        InceptionIfFound(weights=str(tmp_path / "typo.pth"))


def test_inception_with_another_hash_is_refused(tmp_path):
    path = tmp_path / FILES[0]
    path.write_bytes(b"not the weights")
    with pytest.raises(FridoError, match="6726825d"):
        Inception(weights=str(path))


def test_inception_is_torch_fidelitys(tmp_path, monkeypatch):
    """With seeded random weights in the place of the published ones, found in torch.hub's cache."""
    monkeypatch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    torch.manual_seed(0)
    blank = tmp_path / "blank.pth"
    torch.save({}, blank)
    official = FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(blank))
    monkeypatch.undo()

    path = tmp_path / "hub" / "checkpoints" / FILES[1]
    path.parent.mkdir(parents=True)
    torch.save(official.state_dict(), path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(inception, "SHA256_PREFIX", hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    ours, theirs = Inception(weights=None).extract(images), official(images)
    torch.testing.assert_close(ours.features, theirs[0], rtol=0, atol=0)
    torch.testing.assert_close(ours.logits, theirs[1], rtol=0, atol=0)
