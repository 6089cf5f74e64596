"""Features are made once, by one network, for all statistics and all evaluations."""

from functools import partial

import pytest
import torch

from frido.metrics.features.bank import FeatureBank
from frido.metrics.features.inception_if_found import InceptionIfFound
from frido.metrics.features.reference import Reference
from frido.metrics.features.scenes import SceneFeatures
from frido.metrics.fid import FID
from frido.metrics.inception_score import InceptionScore
from frido.metrics.kid import KID
from tests.metrics.pictures import held_out, sides

STATISTICS = {
    "fid": partial(FID, name="fid", minimum=100),
    "is": partial(InceptionScore, splits=10, shuffle_seed=2020, minimum=100),
    "kid": partial(KID, subsets=4, subset_size=50, seed=2020),
}


class Counting(SceneFeatures):
    """Counts the images that it is shown."""

    seen = 0

    def extract(self, images):
        self.seen += len(images)
        return super().extract(images)


@pytest.fixture
def extractor() -> Counting:
    return Counting()


def scored(extractor, real, generated, reference=None) -> tuple[dict, dict]:
    """Return numbers and card of images that come in short batches, generated ones backwards."""
    bank = FeatureBank(extractor=extractor, statistics=STATISTICS)
    if reference is not None:
        bank.remember(reference)
    of_real, of_generated = sides(real, generated)
    for start in range(0, max(len(real), len(generated)), 33):
        rows = slice(start, start + 33)
        backwards = torch.arange(len(generated)).flip(0)[rows]
        bank.update(
            real=of_real._replace(positions=of_real.positions[rows], images=real[rows]),
            generated=of_generated._replace(positions=backwards, images=generated[backwards]),
            scenes=[],
        )
    return bank.compute(), bank.card()


def test_sides_may_have_different_numbers_and_the_card_says_them(extractor):
    images, _ = held_out(240)
    numbers, card = scored(extractor, images[:112], images[112:])
    assert {"fid/scenes@128", "is/scenes@128", "kid/scenes@128"} <= numbers.keys()
    assert (card["images"], card["real_images"]) == (128, 112)
    assert card["details"]["kid/scenes@128"]["subset_size"] == 50
    assert extractor.seen == 240, "each image once, for three statistics, in full batches"


def test_two_rows_at_one_position_are_refused(extractor):
    images, _ = held_out(8)
    bank = FeatureBank(extractor=extractor, statistics=STATISTICS)
    real, generated = sides(images, images)
    bank.update(real=real, generated=generated, scenes=[])
    bank.update(real=real._replace(positions=real.positions + 8), generated=generated, scenes=[])
    with pytest.raises(AssertionError, match="one position"):
        bank.compute()


def test_real_images_are_looked_at_once_for_all_evaluations(extractor, tmp_path):
    images, _ = held_out(240)
    real, generated = images[:112], images[112:224]
    without, _ = scored(extractor, real, generated)
    reference = Reference(root=tmp_path / "reference", images="the first 112")
    extractor.seen = 0
    first, card = scored(extractor, real, generated, reference)
    assert extractor.seen == 224
    again, card_again = scored(extractor, real, generated, reference)
    assert extractor.seen == 224 + 112, "the generated images alone"
    assert first == again == without, "to the last bit"
    assert card == card_again
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1


def test_the_identity_of_real_images_is_that_of_their_pixels_in_any_order(extractor):
    images, _ = held_out(240)
    _, card = scored(extractor, images[:112], images[112:224])
    _, turned = scored(extractor, images[:112].flip(0), images[112:224])
    _, other = scored(extractor, images[1:113], images[112:224])
    assert card["reference"] == turned["reference"] != other["reference"]


@pytest.mark.parametrize("harm", ["cut", "bit", "empty"])
def test_a_damaged_reference_is_made_anew(extractor, tmp_path, harm):
    images, _ = held_out(240)
    reference = Reference(root=tmp_path, images="the first 112")
    expected, _ = scored(extractor, images[:112], images[112:224], reference)
    (path,) = tmp_path.rglob("*.safetensors")
    content = path.read_bytes()
    bit = content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:]
    path.write_bytes({"cut": content[:-100], "bit": bit, "empty": b""}[harm])
    extractor.seen = 0
    assert scored(extractor, images[:112], images[112:224], reference)[0] == expected
    assert extractor.seen == 224
    assert path.read_bytes() == content


def test_a_reference_of_other_images_changes_no_number(extractor, tmp_path):
    images, _ = held_out(240)
    reference = Reference(root=tmp_path, images="said to be the same")
    scored(extractor, images[:112], images[112:224], reference)
    moved = torch.cat([images[:56], images[200:240], images[56:72]])
    expected, _ = scored(extractor, moved, images[112:224])
    extractor.seen = 0
    found, _ = scored(extractor, moved, images[112:224], reference)
    assert found == expected
    assert extractor.seen == 112 + 64, "of the real ones, those that are others, in full batches"


def test_other_weights_have_another_reference(extractor, tmp_path):
    images, _ = held_out(240)
    reference = Reference(root=tmp_path, images="the first 112")
    scored(extractor, images[:112], images[112:224], reference)
    other = Counting()
    other.sha256 = "other"
    scored(other, images[:112], images[112:224], reference)
    assert other.seen == 224
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_a_reference_that_cannot_be_written_is_only_told(extractor, tmp_path, caplog):
    images, _ = held_out(240)
    (tmp_path / "file").write_text("in the way")
    reference = Reference(root=tmp_path / "file", images="the first 112")
    assert scored(extractor, images[:112], images[112:224], reference)[0]
    assert "looked at again" in caplog.text


def test_a_missing_network_refuses_by_the_names_of_its_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    images, _ = held_out(3)
    extractor = InceptionIfFound(weights=None, sha256="6726825d")
    bank = FeatureBank(extractor=extractor, statistics=STATISTICS)
    bank.remember(Reference(root=tmp_path, images="some"))
    real, generated = sides(images, images)
    bank.update(real=real, generated=generated, scenes=[])
    assert bank.compute() == {}
    why = "no Inception weights here; docs/datasets.md says how to have them"
    assert bank.card()["refused"] == {f"{name}/inception": why for name in ("fid", "is", "kid")}
