"""CLIPScore, over a CLIP with random weights."""

import json
import sys

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.contracts.graph_text import scene_text
from frido.contracts.metric import Pictures
from frido.contracts.scene import Object, Relationship, Scene
from frido.metrics.clip import Clip
from frido.metrics.clip_score import ClipScore
from frido.metrics.derangement import derangement
from tests.metrics.pictures import held_out
from tests.metrics.small_clip import small_clip

NAME = "clip-24-8-32"
CIRCLE, SQUARE = (Object(word, (0.0, 0.0, 0.5, 0.5), ("red",)) for word in ("circle", "square"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(folder):
    return Clip(folder=str(folder))


@pytest.fixture(scope="module")
def given():
    images, scenes = held_out(40)
    return images, [Scene(f"scene-{row}", scene.objects, scene.relationships) for row, scene in enumerate(scenes)]


def scored(metric, images, scenes, *, order=None, batch=100):
    order = torch.arange(len(scenes)) if order is None else order
    nothing = Pictures(torch.zeros(0, dtype=torch.int64), images[:0])
    for rows in order.split(batch):
        scored = Pictures(rows, images[rows])
        metric.update(real=nothing, generated=scored, scenes=[scenes[row] for row in rows.tolist()])
    return metric.compute()


def cosines(folder, images, texts):
    """By transformers' own processor and model; images of 64 px are resized as PIL does it."""
    from transformers import CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model, tokenizer = CLIPModel.from_pretrained(folder).eval(), CLIPTokenizer.from_pretrained(folder)
    pixels = CLIPImageProcessorPil.from_pretrained(folder)(list(images.numpy()), return_tensors="pt")
    words = tokenizer(texts, max_length=32, truncation=True, padding=True, return_tensors="pt")
    with torch.no_grad():
        found = model(**words, **pixels)
    return (found.image_embeds.double() * found.text_embeds.double()).sum(1), found


def test_it_is_the_cosine_of_transformers(encoder, folder, given):
    images, scenes = given
    metric = ClipScore(encoder=encoder, prompt="")
    numbers = scored(metric, images, scenes)
    expected, vectors = cosines(folder, images, [scene_text(scene) for scene in scenes])
    assert numbers[f"clip_score/{NAME}@40"] == pytest.approx(2.5 * expected.clamp_min(0).mean().item(), rel=1e-5)
    assert numbers[f"clip_cosine/{NAME}@40"] == pytest.approx(100 * expected.mean().item(), rel=1e-5)
    rows = metric.rows()
    assert rows[7][f"clip_score/{NAME}@40"] == pytest.approx(2.5 * max(expected[7].item(), 0), rel=1e-4)
    other = vectors.text_embeds[torch.tensor(derangement([scene.id for scene in scenes]))]
    shuffled = 2.5 * (vectors.image_embeds.double() * other.double()).sum(1).clamp_min(0).mean()
    assert numbers[f"clip_score_shuffled/{NAME}@40"] == pytest.approx(shuffled.item(), rel=1e-5)


def test_order_and_batches_change_no_bit(encoder, given):
    whole, parts = (ClipScore(encoder=encoder, prompt="") for _ in range(2))
    assert scored(whole, *given) == scored(parts, *given, order=torch.arange(39, -1, -1), batch=7)
    assert whole.rows() == parts.rows()


def test_images_that_are_not_square_are_cut_from_the_middle(encoder):
    """What is beyond the middle square plays no part, but for the pixels that resizing mixes in."""
    wide = torch.randint(0, 256, (1, 3, 36, 100), dtype=torch.uint8)
    middle = wide[:, :, :, 32:68]
    torch.testing.assert_close(encoder.of_images(wide), encoder.of_images(middle))


def test_the_card_counts_texts(encoder, given):
    images, _ = given
    told = [Scene("a", captions=("a red circle",)), Scene("b", (CIRCLE,)), Scene("c", captions=("red " * 40,))]
    metric = ClipScore(encoder=encoder, prompt="A photo depicts ")
    scored(metric, images[:3], told)
    card = metric.card()
    assert card["counts"] == {"texts": 3, "captions": 2, "cut": 1}
    assert "A photo depicts" in card["text"] and len(card["weights_sha256"]) == 64
    assert card["images"] == 3 and not card["refused"]


def test_a_prompt_is_another_text(encoder, given):
    plain, prompted = (scored(ClipScore(encoder=encoder, prompt=prompt), *given) for prompt in ("", "A photo depicts "))
    assert plain != prompted


def test_scenes_without_a_text_are_refused_and_named(encoder, given):
    images, scenes = given
    metric = ClipScore(encoder=encoder, prompt="")
    assert scored(metric, images, [*scenes[:39], Scene("mute")], batch=10) == {} == metric.rows()
    (why, _) = metric.card()["refused"].values()
    assert "mute" in why


def test_what_a_scene_is_told_as():
    pair = Scene("s", (CIRCLE, SQUARE, CIRCLE), (Relationship(0, "above", 1), Relationship(1, "near", 2)))
    assert scene_text(pair) == "red circle A above red square , red square near red circle B"
    assert scene_text(Scene("s", (CIRCLE, SQUARE))) == "red circle , red square"
    assert scene_text(Scene("s", (CIRCLE,), captions=(" a picture ", "another"))) == "a picture"
    assert scene_text(Scene("s", captions=("", "second"))) == ""


# What may be missing


def test_without_transformers(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(FridoError, match="not installed"):
        Clip(folder="anywhere")


@pytest.mark.parametrize("folder", [None, "no/such/folder"])
def test_without_its_folder(folder):
    with pytest.raises(FridoError, match=r"encoder\.folder"):
        Clip(folder=folder)


@pytest.mark.parametrize("spoilt", ["weights", "images", "half"])
def test_a_folder_of_something_else(folder, tmp_path, spoilt):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    if spoilt == "weights":
        (tmp_path / "model.safetensors").write_bytes(b"nothing")
    elif spoilt == "images":
        (tmp_path / "preprocessor_config.json").unlink()
    else:  # transformers would draw what is missing at random
        from safetensors.torch import load_file, save_file

        weights = load_file(tmp_path / "model.safetensors")
        kept = {name: tensor for name, tensor in weights.items() if not name.startswith("visual_projection")}
        save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FridoError, match="CLIP model") as refused:
        Clip(folder=str(tmp_path))
    assert json.dumps(str(tmp_path))[1:-1] in refused.value.got
