"""Scenes, words and files that tests of conditioners are given."""

import json
from pathlib import Path

import torch

from frido.contracts.batch import Annotations
from frido.contracts.scene import Vocabulary
from frido.contracts.tokenizer import train
from tests.denoisers import options

CAPTIONS = ("a red circle left of a square.", "a Large star", "two circles, one square")
VOCABULARY = Vocabulary(
    ("circle", "square", "star"),
    ("red", "blue", "large", "small"),
    ("left of", "above", "near"),
    tokenizer=train(CAPTIONS, 300),
)


def scenes(objects=3, triples=2, length=40):
    """Two scenes: three objects with two triples, one object with none; padded to the given sizes."""
    categories = torch.full((2, objects), -1)
    attributes = torch.full((2, objects, 2), -1)
    boxes = torch.zeros(2, objects, 4)
    relationships = torch.full((2, triples, 3), -1)
    categories[0, :3], categories[1, 0] = torch.tensor([0, 1, 0]), 2
    attributes[0, :3] = torch.tensor([[0, 2], [1, -1], [0, 2]])
    attributes[1, 0] = torch.tensor([3, 1])
    boxes[0, :3] = torch.tensor([[0.0, 0.1, 0.4, 0.5], [0.3, 0.2, 0.9, 1.0], [0.5, 0.5, 0.75, 0.6]])
    boxes[1, 0] = torch.tensor([0.1, 0.2, 0.5, 0.9])
    relationships[0, :2] = torch.tensor([[0, 0, 1], [1, 1, 2]])
    told = categories, attributes, boxes, relationships, written(CAPTIONS[:2], length)
    return Annotations(*told, *uncropped(2))


def uncropped(count):
    """Return the last fields of `Annotations`, of scenes that are shown whole."""
    return torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(count, 1), torch.zeros(count, dtype=torch.bool)


def written(captions, length=40):
    """Return captions as they lie in `Annotations`."""
    rows = [list(caption.encode().ljust(length, b"\0")) for caption in captions]
    return torch.tensor(rows, dtype=torch.uint8)


def bert_words(folder: Path) -> Path:
    """Write a `vocab.txt` like that of bert-base-uncased, but short."""
    pieces = [
        "red",
        "circle",
        "##s",
        "left",
        "of",
        "a",
        "square",
        "##ly",
        "cafe",
        "sky",
        "grass",
        "tree",
        "b",
        ",",
        ".",
    ]
    path = folder / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]) + "\n")
    return path


def clip(folder: Path) -> Path:
    """Write a CLIP text encoder with random weights and a tokenizer that knows letters."""
    from transformers import CLIPTextConfig, CLIPTextModel

    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]
    ids = {token: row for row, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}')
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(ids),
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=ids["<|startoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
    )
    CLIPTextModel(config).save_pretrained(folder)
    return folder


def build(name, folder=None, vocabulary=VOCABULARY, **changes):
    """Return an option of conf/conditioning; `folder` holds the files of those that need some."""
    torch.manual_seed(0)
    value = options.node("conditioning", name) | changes
    if name in FILES:
        value |= FILES[name](folder)
    return options.make(value)(vocabulary=vocabulary).eval()


FILES = {"clip": lambda folder: {"folder": str(clip(folder))}}
"""What options that need files on this machine are given."""


def same(context, other):
    return all((a is None and b is None) or torch.equal(a, b) for a, b in zip(context, other, strict=True))
