"""Captions from the source to the batch, and the tokenizer that is trained on them."""

import hashlib
import json
import shutil
from dataclasses import replace

import pytest
import torch

from frido.contracts import tokenizer
from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene, Vocabulary
from frido.data.collate import caption
from frido.data.shards import Shards, read_spec
from frido.data.wishes import read


def text(row: torch.Tensor) -> str:
    return bytes(row.tolist()).rstrip(b"\0").decode()


@pytest.mark.parametrize("cache_mb", [0, 64])
def test_captions_reach_the_batch(dataset, make_source, make_reading, cache_mb):
    source = make_source()
    wanted = {source.scene("train", k).id: source.scene("train", k).captions[0] for k in range(60)}
    reading, rows = make_reading(cache_mb=cache_mb, max_caption=512), Shards.below(dataset, "train")
    loader = reading.stream(rows, order=rows.order(seed=0), batch=60, rank=0, world_size=1)
    for batch in (loader.at(0), loader.at(0)):  # the second time from the cache
        assert batch.annotations.captions.dtype == torch.uint8
        assert {name: text(row) for name, row in zip(batch.ids, batch.annotations.captions, strict=True)} == wanted


def test_only_the_first_caption_is_kept_and_none_is_empty(make_reading):
    scenes = [Scene("a", captions=("a naïve cat", "a dog")), Scene("b")]
    batch = make_reading().collate(scenes, Vocabulary((), (), ()), torch.arange(2))
    assert [text(row) for row in batch.annotations.captions] == ["a naïve cat", ""]


def test_captions_of_mirrored_images_are_mirrored_and_marked(dataset, make_reading):
    rows = Shards.below(dataset, "train")
    plain, turned = (
        make_reading(flip=flip, max_caption=512)
        .stream(rows, order=rows.order(seed=0), batch=60, rank=0, world_size=1)
        .at(0)
        for flip in (0.0, 1.0)
    )
    other = {"left": "right", "right": "left"}
    for before, after in zip(plain.annotations.captions, turned.annotations.captions, strict=True):
        assert text(after).split() == [other.get(word, word) for word in text(before).split()]
    assert turned.annotations.mirrored.all() and not plain.annotations.mirrored.any()
    assert torch.equal(turned.images, plain.images.flip(-1))


@pytest.mark.parametrize(
    ("size", "kept"), [(8, "two cats"), (9, "two cats"), (7, "two"), (3, "two"), (2, ""), (10, "two cats é")]
)
def test_a_long_caption_ends_before_a_word(size, kept):
    """So never inside of a letter either."""
    row = caption(Scene("a", captions=("two cats éa" if size < 10 else "two cats é",)), size + (size == 10))
    assert text(torch.from_numpy(row)) == kept


def test_the_tokenizer_is_that_of_the_training_captions(dataset, make_source):
    content = (dataset / "tokenizer.json").read_text()
    assert Shards.below(dataset, "val").vocabulary.tokenizer == content
    assert read_spec(dataset)["tokenizer"] == hashlib.sha256(content.encode()).hexdigest()
    order = [Shards.below(dataset, "train").scene(row).captions[0] for row in range(60)]
    assert content == tokenizer.train(order, 300)
    trained = tokenizer.load(content, source="tokenizer.json")
    assert trained.get_vocab_size() == 300
    encoded = trained.encode(make_source().scene("val", 3).captions[0])
    assert trained.decode(encoded.ids).strip() == make_source().scene("val", 3).captions[0]


def test_a_dataset_without_captions_has_no_tokenizer(tmp_path, make_source, make_packing):
    source = make_source(train=3, val=1, test=0)
    rendered = source.scenes.scene
    source.scenes.scene = lambda split, index: replace(
        rendered(split, index), captions=() if split == "train" else ("only here",)
    )
    make_packing().write(source, tmp_path / "out", quiet=True)
    assert not (tmp_path / "out" / "tokenizer.json").exists()
    assert read_spec(tmp_path / "out")["tokenizer"] is None
    assert Shards.below(tmp_path / "out", "train").vocabulary == source.vocabulary


def test_datasets_packed_before_there_were_tokenizers_are_read(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    spec = read_spec(copy)
    del spec["tokenizer"]
    (copy / "dataset.json").write_text(json.dumps(spec))
    assert Shards.below(copy, "train").vocabulary.tokenizer == ""


def test_another_tokenizer_is_refused(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(FridoError, match=r"tokenizer\.json\n.*SHA-256"):
        Shards.below(copy, "train")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(FridoError, match=r"tokenizer\.json\n.*No such file"):
        Shards.below(copy, "train")


def test_vocabularies_with_different_tokenizers_are_different():
    words = Vocabulary(("cat",), (), ())
    assert words != replace(words, tokenizer="{}")
    assert Vocabulary.from_json(words.to_json(), "{}") == replace(words, tokenizer="{}")


def test_wishes_have_captions(tmp_path, make_source):
    vocabulary = make_source().vocabulary
    wishes = [
        {"objects": [], "caption": "a cat on a mat"},
        {"objects": ["large red circle", "star"], "relationships": [[0, "above", 1]]},
    ]
    (tmp_path / "wishes.json").write_text(json.dumps(wishes))
    own, described = read(tmp_path / "wishes.json", vocabulary)
    assert own.captions == ("a cat on a mat",) and own.objects == ()
    assert described.captions == ("a red large circle, a star; the red large circle is above the star",)
    (tmp_path / "bad.json").write_text('{"objects": []}')
    with pytest.raises(FridoError, match="caption"):
        read(tmp_path / "bad.json", vocabulary)
