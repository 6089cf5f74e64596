"""CLIP's text encoder, from a folder."""

import sys

import pytest
import torch

from frido.contracts.errors import FridoError
from tests.conditioning.given import CAPTIONS, VOCABULARY, build, scenes
from tests.denoisers import options


def test_tokens_are_those_of_transformers(tmp_path):
    conditioner = build("clip", tmp_path)
    from transformers import CLIPTextModel, CLIPTokenizer

    tokens = CLIPTokenizer.from_pretrained(tmp_path)(
        list(CAPTIONS[:2]), max_length=77, padding="max_length", return_tensors="pt"
    )
    with torch.no_grad():
        expected = CLIPTextModel.from_pretrained(tmp_path).eval()(input_ids=tokens["input_ids"]).last_hidden_state
    context = conditioner(scenes())
    assert torch.equal(context.mask, tokens["attention_mask"].bool())
    torch.testing.assert_close(context.tokens, expected * context.mask[..., None])


def test_it_is_frozen_and_in_no_checkpoint(tmp_path):
    conditioner = build("clip", tmp_path)
    before = conditioner(scenes()).tokens
    conditioner.train()
    assert torch.equal(conditioner(scenes()).tokens, before)
    assert not conditioner.state_dict() and not before.requires_grad


def test_without_mask_all_tokens_are_seen(tmp_path):
    assert build("clip", tmp_path, masked=False)(scenes()).mask is None


def clip(**changes):
    return options.make(options.node("conditioning", "clip") | changes)(vocabulary=VOCABULARY)


@pytest.mark.parametrize("folder", [None, "no/such/folder"])
def test_without_its_folder(folder):
    with pytest.raises(FridoError, match=r"conditioning\.folder"):
        clip(folder=folder)


def test_without_transformers(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(FridoError, match="not installed"):
        clip(folder="anywhere")
