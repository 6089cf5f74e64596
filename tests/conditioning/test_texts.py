"""Tokenizers, captions, and scene graphs as text."""

import time

import pytest
import torch

from frido.conditioning.captions import read
from frido.contracts import tokenizer
from frido.contracts.errors import FridoError
from frido.contracts.graph_text import graph_text
from frido.contracts.scene import Vocabulary
from tests.conditioning.given import CAPTIONS, VOCABULARY, bert_words, build, scenes, written
from tests.denoisers import options


def make(name, folder, length=12):
    value = options.node("conditioning/tokenizer", name)
    if name == "bert":
        value["file"] = str(bert_words(folder))
    return options.make(value)(vocabulary=VOCABULARY, length=length)


@pytest.fixture(params=options.names("conditioning/tokenizer"))
def words(request, tmp_path):
    return make(request.param, tmp_path)


def test_rows_have_one_length_and_a_start_and_an_end(words):
    ids, real = words(["red circle left of square", "", "red " * 100])
    assert ids.shape == real.shape == (3, 12)
    assert ids.max() < words.size
    start, end = ids[1, :2].tolist()
    assert ids[1].tolist() == [start, end, *[ids[1, 2].item()] * 10] and real[1].tolist() == [True] * 2 + [False] * 10
    assert ids[0, 0] == start and ids[0, real[0].sum() - 1] == end
    assert ids[2, -1] == end and real[2].all()


def test_other_words_are_other_ids(words):
    ids, _ = words(["red square", "square red", "red square"])
    assert not torch.equal(ids[0], ids[1]) and torch.equal(ids[0], ids[2])


def test_a_batch_takes_milliseconds(words):
    texts = ["red circle left of a square, large star above it"] * 32
    words(texts)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        words(texts)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.003


def test_training_is_deterministic_and_needs_no_unknown_token():
    text = tokenizer.train(CAPTIONS * 5, 290)
    assert text == tokenizer.train(CAPTIONS * 5, 290)
    made = tokenizer.load(text, source="here")
    assert 259 < made.get_vocab_size() <= 290
    assert made.decode(made.encode("Ünknown wörds 字").ids).strip() == "ünknown wörds 字"


def test_training_does_not_depend_on_threads(monkeypatch):
    text = tokenizer.train(CAPTIONS * 50, 300)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    assert text == tokenizer.train(CAPTIONS * 50, 300)


def test_bert_is_that_of_transformers(tmp_path):
    from transformers import BertTokenizerFast

    official = BertTokenizerFast.from_pretrained(str(bert_words(tmp_path).parent))
    texts = ["A red Circle, left of squares.", "Café [SEP] skyly 字", "", "red " * 40]
    expected = official(texts, max_length=12, truncation=True, padding="max_length", return_tensors="pt")
    ids, real = make("bert", tmp_path)(texts)
    assert torch.equal(ids, expected["input_ids"])
    assert torch.equal(real, expected["attention_mask"].bool())


def test_bert_reads_both_kinds_of_file(tmp_path):
    from transformers import BertTokenizerFast

    BertTokenizerFast.from_pretrained(str(bert_words(tmp_path).parent)).save_pretrained(tmp_path / "saved")
    value = options.node("conditioning/tokenizer", "bert") | {"file": str(tmp_path / "saved/tokenizer.json")}
    ids, real = options.make(value)(vocabulary=VOCABULARY, length=12)(CAPTIONS)
    expected = make("bert", tmp_path)(CAPTIONS)
    assert torch.equal(ids, expected[0]) and torch.equal(real, expected[1])


@pytest.mark.parametrize("content", [None, "hello\nworld\n"])
def test_bert_without_its_file(tmp_path, content):
    path = tmp_path / "vocab.txt"
    if content:
        path.write_text(content)
    value = options.node("conditioning/tokenizer", "bert") | {"file": str(path)}
    with pytest.raises(FridoError, match=r"conditioning\.tokenizer\.file"):
        options.make(value)(vocabulary=VOCABULARY, length=12)


def test_broken_json_names_its_source():
    with pytest.raises(FridoError, match=r"tokenizer\.json of nowhere"):
        tokenizer.load("{", source="tokenizer.json of nowhere")


def test_captions_come_back_from_bytes():
    texts = ["plain", "", "Ünïcode 字"]
    assert read(written(texts)) == texts


def test_characters_are_left_out():
    assert build("text", without=".").texts(scenes()) == ["a red circle left of a square", "a Large star"]


WORDS = Vocabulary(("sky", "tree", "grass"), (), ("above", "near"))


def test_graph_text_is_frido_s():
    """Two trees are named, one sky and one grass; the third tree is in no relationship."""
    categories = [1, 0, 1, 2, 1]
    triples = [(1, 0, 3), (2, 1, 0), (0, 0, 3), (2, 0, 3)]
    text = "sky above grass , tree A near tree B , tree B above grass , tree A above grass"
    assert graph_text(categories, triples, WORDS) == text
    assert graph_text(categories, [(0, 1, 3), (0, 0, 1)], WORDS) == "tree near grass , tree above sky"
    assert graph_text(categories, [(0, 1, 0)], WORDS) == "tree near tree"
    assert graph_text(categories, [], WORDS) == ""


def test_letters_go_on_after_z():
    triples = [(tree, 1, tree + 1) for tree in range(0, 60, 2)]
    last = graph_text([1] * 60, triples, WORDS).split(" , ")
    assert last[0] == "tree A near tree B"
    assert last[13] == "tree AB near tree AC"
    assert last[15] == "tree AF near tree AG"
    assert last[29] == "tree AZ near tree AZ"


def test_scene_graph_text_writes_real_triples_only():
    conditioner = build("scene_graph_text")
    assert conditioner.texts(scenes(5, 4)) == ["circle A left of square , square above circle B", ""]
    ids, _ = conditioner.tokenize(scenes())
    unknown = conditioner.tokenizer(["nonsense"])[0][0, 1]
    assert unknown not in ids
