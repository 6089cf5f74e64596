"""Foreign names to ours: what fits, what is left over, and that nothing is half loaded."""

import pytest
import torch
from torch import nn

from frido.contracts.errors import FridoError
from frido.importers.translate import DROP, load, translate

TABLE = {
    "net.{i}.{p}": "layers.{i}.{p}",
    "ema.*": DROP,
    "head.*": "out.*",
}


def official():
    return {
        "net.0.weight": torch.ones(2, 3),
        "net.0.bias": torch.zeros(2),
        "head.weight": torch.arange(2.0)[None],
        "head.bias": torch.zeros(1),
        "ema.net0weight": torch.ones(2, 3),
    }


class Ours(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 2)])
        self.out = nn.Linear(2, 1)


def test_names_are_translated_and_the_rest_reported():
    report = translate(official() | {"new.weight": torch.ones(1)}, TABLE, ours=Ours().state_dict())
    assert report.renamed["net.0.weight"] == "layers.0.weight"
    assert report.renamed["head.bias"] == "out.bias"
    assert report.dropped == ["ema.net0weight"]
    assert report.unmatched == ["new.weight"]
    assert not report.missing
    assert not report.complete


def test_what_is_missing_or_misshapen_is_named():
    given = official()
    del given["net.0.bias"]
    given["head.bias"] = torch.zeros(7)
    given["net.5.weight"] = torch.ones(2, 3)
    report = translate(given, TABLE, ours=Ours().state_dict())
    assert report.missing == ["layers.0.bias"]
    assert report.reshaped == ["out.bias: (7,) for (1,)"]
    assert report.unmatched == ["net.5.weight (as layers.5.weight)"]
    assert "1 missing: layers.0.bias" in str(report)


def test_deliberate_changes_are_made_and_listed():
    report = translate(
        official(), TABLE, ours=Ours().state_dict(), changes={"out.weight": lambda weight: weight.flip(1)}
    )
    assert report.state["out.weight"].tolist() == [[1.0, 0.0]]
    assert report.changed == ["out.weight"]


def test_a_change_that_changes_nothing_is_a_mistake():
    """In a pattern `{word}` is one part of a name: one too few, and weights would be loaded as they are."""
    with pytest.raises(AssertionError, match="changes nothing"):
        translate(official(), TABLE, ours=Ours().state_dict(), changes={"{p}": lambda weight: weight})


def test_the_first_pattern_wins():
    table = {"net.0.{p}": DROP} | TABLE
    assert translate(official(), table, ours=Ours().state_dict()).dropped == [
        "net.0.weight",
        "net.0.bias",
        "ema.net0weight",
    ]


def test_a_word_is_one_part_of_a_name():
    report = translate({"net.0.sub.weight": torch.ones(1)}, TABLE, ours=Ours().state_dict())
    assert report.unmatched == ["net.0.sub.weight"]


def test_loading_is_all_or_nothing():
    module = Ours()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    given = official()
    del given["head.bias"]
    with pytest.raises(FridoError, match="missing: out"):
        load(module, given, TABLE, source="a file")
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    load(module, given, TABLE, source="a file", keep=("out.bias",))
    assert torch.equal(module.layers[0].weight, torch.ones(2, 3))
    assert torch.equal(module.out.bias, before["out.bias"])
