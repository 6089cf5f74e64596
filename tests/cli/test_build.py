import functools
import importlib

import pytest

from frido.cli.build import build
from frido.contracts.errors import FridoError

FILM = {"_target_": "toyroom.gates.Film", "channels": 3, "strength": 1.0}


def test_containers_are_plain_and_nested_nodes_built(toyroom):
    held = build({"_target_": "toyroom.gates.Holder", "child": FILM, "sizes": [1, 2], "table": {"a": FILM, "b": [1]}})
    assert type(held.child).__name__ == "Film"
    assert (type(held.sizes), type(held.table), type(held.table["b"])) == (list, dict, list)
    assert type(held.table["a"]).__name__ == "Film"


def test_lists_and_mappings_of_nodes(toyroom):
    built = build({"a": FILM, "b": [FILM, 3], "c": None})
    assert (built["a"].channels, built["b"][0].channels, built["b"][1], built["c"]) == (3, 3, 3, None)


def test_partial_waits_for_its_arguments(toyroom):
    node = {"_target_": "toyroom.gates.Film", "_partial_": True, "strength": 2.0}
    make = build(node)
    assert isinstance(make, functools.partial)
    assert make(channels=7).channels == make(channels=7).channels == 7
    assert build(node, channels=5).strength == 2.0


def test_runtime_objects_arrive_as_they_are(toyroom):
    shared = {"kept": object()}
    node = {"_target_": "toyroom.gates.Holder", "sizes": [], "table": {}}
    assert build(node, child=shared).child is shared


def test_the_node_is_not_changed(toyroom):
    node = {**FILM, "_partial_": True}
    build(node, channels=2)
    assert node == {**FILM, "_partial_": True}


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.system", "command": "true"},
        {"a": [{"_target_": "os.getcwd"}]},
        {"_target_": "toyroom.gates.Holder", "child": {"_target_": "os.getcwd"}, "sizes": [], "table": {}},
        {"_target_": "toyroom.menu.os.getcwd"},
    ],
)
def test_only_allowed_targets_are_built(toyroom, node):
    with pytest.raises(FridoError, match="_target_"):
        build(node)


@pytest.mark.parametrize("nested", [True, False])
def test_refusals_of_constructors_come_out_unwrapped(toyroom, nested):
    wrong = {**FILM, "strength": -1.0}
    node = {"_target_": "toyroom.gates.Holder", "child": wrong, "sizes": [], "table": {}} if nested else wrong
    with pytest.raises(FridoError) as caught:
        build(node)
    assert caught.value.what == "gate.strength"


def test_other_errors_of_constructors_keep_their_traceback(toyroom):
    gates = importlib.import_module("toyroom.gates")
    gates.Film.__init__ = lambda self, **_: 1 / 0
    with pytest.raises(Exception, match="division by zero") as caught:
        build(FILM)
    assert not isinstance(caught.value, FridoError)
