"""SceneFID, against a few lines that compute it another way."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm

from frido.contracts.metric import Pictures
from frido.contracts.scene import Object, Scene
from frido.metrics.features.base import FeatureExtractor, Seen
from frido.metrics.fid import FID
from frido.metrics.object_crops import edges
from frido.metrics.scene_fid import SceneFid
from tests.metrics.pictures import held_out


class Corners(FeatureExtractor):
    """Six numbers of an image that are worked out alone, by hand: two pixels' RGB."""

    name, sha256, dimension, classes, resize = "corners", "none", 6, 0, "none"

    def extract(self, images):
        pixels = images.float()
        features = torch.cat([pixels[:, :, 20, 30], pixels[:, :, 111, 112]], dim=1)
        return Seen(features, torch.zeros(len(images), 0))


def metric(minimum=10, side_px=224):
    return SceneFid(extractor=Corners(), statistics={"fid": partial(FID, name="fid", minimum=minimum)}, side_px=side_px)


def scored(metric, real, generated, scenes, *, order=None, batch=50):
    order = torch.arange(len(scenes)) if order is None else order
    for rows in order.split(batch):
        sides = {name: Pictures(rows, side[rows]) for name, side in (("real", real), ("generated", generated))}
        metric.update(**sides, scenes=[scenes[row] for row in rows.tolist()])
    return metric.compute()


def expected(real, generated, scenes):
    """LAMA's definition: ground-truth boxes out of both images, 224 px by PIL's bicubic, one pool."""
    sides = []
    for images in (real, generated):
        found = []
        for image, scene in zip(images, scenes, strict=True):
            height, width = image.shape[1:]
            for item in scene.objects:
                left, top, right, bottom = item.box
                box = (math.floor(left * width), math.floor(top * height))
                box += (math.ceil(right * width), math.ceil(bottom * height))
                picture = Image.fromarray(image.permute(1, 2, 0).numpy()).crop(box)
                pixels = np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC), dtype=np.float64)
                found.append(np.concatenate([pixels[20, 30], pixels[111, 112]]))
        sides.append((np.mean(found, axis=0), np.cov(np.array(found).T)))
    (m1, c1), (m2, c2) = sides
    return ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)


@pytest.fixture(scope="module")
def given():
    images, scenes = held_out(60)
    return images, images.flip(3), scenes


def test_it_is_the_distance_of_pooled_crops(given):
    numbers = scored(metric(), *given)
    objects = sum(len(scene.objects) for scene in given[2])
    assert numbers == pytest.approx({f"scenefid/corners@{objects}": expected(*given)}, rel=1e-6)


def test_real_images_have_none(given):
    real, _, scenes = given
    (value,) = scored(metric(), real, real, scenes).values()
    assert value == pytest.approx(0, abs=1e-6)


def test_order_and_batches_change_no_bit(given):
    whole, parts = metric(), metric()
    assert scored(whole, *given) == scored(parts, *given, order=torch.arange(59, -1, -1), batch=7)
    assert whole.parts() == parts.parts()


def test_categories_are_parts_where_they_have_enough_objects(given):
    real, generated, scenes = given
    pooled = metric(minimum=18)
    ((name, _),) = scored(pooled, *given).items()
    counts = {}
    for scene in scenes:
        for item in scene.objects:
            counts[item.category] = counts.get(item.category, 0) + 1
    enough = {word: count for word, count in counts.items() if count >= 18}
    assert 0 < len(enough) < len(counts), "the test wants both kinds"
    parts = pooled.parts()[name]
    assert {word: part.count for word, part in parts.items()} == {f"category {word}": n for word, n in enough.items()}
    assert pooled.card()["categories"] == {"all": len(counts), "with enough objects for a number": len(enough)}
    word = max(enough)
    alone = [Scene(s.id, tuple(item for item in s.objects if item.category == word)) for s in scenes]
    assert parts[f"category {word}"].value == pytest.approx(expected(real, generated, alone), rel=1e-6)


def test_too_few_objects_and_scenes_without_boxes_are_refused(given):
    few = metric(minimum=1000)
    assert scored(few, *given) == {}
    ((name, why),) = few.card()["refused"].items()
    assert name.startswith("scenefid/corners@") and "1000" in why
    somewhere = [Scene(scene.id, (Object("circle", (0.0, 0.0, 1.0, 1.0)),)) for scene in given[2]]
    nowhere = metric()
    assert scored(nowhere, given[0], given[1], somewhere) == {} and nowhere.parts() == {}
    assert nowhere.card()["refused"] == {
        "scenefid/corners@60": "every box is the whole image: the scenes do not say where objects are"
    }


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ((0.25, 0.5, 0.75, 1.0), (8, 8, 24, 16)),
        ((0.26, 0.51, 0.74, 0.99), (8, 8, 24, 16)),
        ((0.1, 0.3, 0.2, 0.6), (3, 4, 7, 10)),
        ((0.5, 0.5, 0.5, 0.5), (16, 8, 17, 9)),
        ((1.0, 1.0, 1.0, 1.0), (31, 15, 32, 16)),
        ((-0.5, -0.5, 1.5, 0.1), (0, 0, 32, 2)),
    ],
)
def test_edges(box, wanted):
    assert edges(box, width=32, height=16) == wanted


def test_a_whole_number_of_pixels_stays_one():
    """In floating point 0.07 * 100 is a little more than 7."""
    assert math.ceil(0.07 * 100) == 8
    assert edges((0.0, 0.0, 0.07, 0.07), width=100, height=100) == (0, 0, 7, 7)
