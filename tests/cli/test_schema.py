import pytest
import yaml

from frido.cli import schema
from frido.cli.compose import compose
from frido.contracts.errors import FridoError
from tests.cli.conftest import CONF

GATE = {"_target_": "toyroom.gates.Spade", "channels": 1, "hidden": 2}
PARTIAL = {"_target_": "toyroom.gates.Spade", "_partial_": True}
RIGHT = {
    "whole": 1,
    "part": 2,
    "flag": True,
    "text": "t",
    "maybe": None,
    "old": 0.5,
    "either": "x",
    "choice": "a",
    "sizes": [1, 2],
    "pair": [1, 0.5],
    "many": [],
    "table": {"a": 1.0},
    "folder": "somewhere",
    "make": PARTIAL,
    "gate": GATE,
    "alias": 3,
    "names": ["n"],
    "quoted": 1,
    "whatever": {"a": [None]},
}
WRONG = {
    "whole": [True, 1.5, "1", None, [1]],
    "part": [True, "0.5", None],
    "flag": [1, "true", None],
    "text": [1, True, None, ["a"]],
    "maybe": ["none", 1.5, False],
    "old": ["x", True],
    "either": [1.5, None, True],
    "choice": ["c", None, 1],
    "sizes": [1, [1.5], ["a"], [True], {"a": 1}, "12"],
    "pair": [[1], [1, 2, 3], [0.5, 1], 1],
    "many": [["a"], 1],
    "table": [{"a": "x"}, [1.0], {1: 1.0}, GATE],
    "folder": [1, None],
    "make": ["toyroom.gates.Spade", 1, {"channels": 1}],
    "gate": ["spade", 1, {"channels": 1}, [GATE]],
    "alias": ["x", 1.5],
    "names": ["abc", [1]],
    "quoted": ["1"],
}


def check(node: dict, path: str = "some.node") -> None:
    schema.check_node(path, node)


def refusal(node: dict, path: str = "some.node") -> FridoError:
    with pytest.raises(FridoError) as caught:
        check(node, path)
    return caught.value


def everything(**changed: object) -> dict:
    return {"_target_": "toyroom.gates.Everything", **RIGHT, **changed}


def test_right_values_pass(toyroom):
    check(everything())


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_wrong_values_are_refused_at_their_place(toyroom, key, value):
    error = refusal(everything(**{key: value}))
    assert error.what.startswith(f"some.node.{key}")
    assert repr(value)[:20] in str(error.got) or "_target_" in str(value)


def test_unknown_key_names_the_nearest(toyroom):
    error = refusal({"_target_": "toyroom.gates.Film", "_partial_": True, "strenght": 8})
    assert error.what == "some.node.strenght"
    assert "'strenght'" in str(error.got)
    assert "channels, strength" in error.wanted
    assert error.do.startswith("some.node.strength=8")


def test_missing_key_is_refused_unless_partial(toyroom):
    error = refusal({"_target_": "toyroom.gates.Film", "strength": 1.0})
    assert error.what == "some.node.channels"
    assert "int" in error.wanted
    check({"_target_": "toyroom.gates.Film", "_partial_": True, "strength": 1.0})


@pytest.mark.parametrize("partial", [True, False])
def test_question_marks_are_always_missing(toyroom, partial):
    node = {"_target_": "toyroom.gates.Film", "_partial_": partial, "channels": "???", "strength": 1.0}
    assert refusal(node).what == "some.node.channels"
    assert refusal(everything(table={"a": "???"})).what.startswith("some.node.table")


@pytest.mark.parametrize(
    "target", ["os.system", "builtins.eval", "torch.load", "frido.cli.build.build", 3, None, "toyroom"]
)
def test_targets_outside_the_allow_list_are_refused(toyroom, target):
    error = refusal({"_target_": target})
    assert error.what == "some.node._target_"
    assert "frido.denoisers" in error.wanted


def test_target_that_does_not_exist_names_the_nearest(toyroom):
    assert refusal({"_target_": "toyroom.gates.Spode"}).do == "some.node._target_=toyroom.gates.Spade"


@pytest.mark.parametrize("key", ["_args_", "_convert_", "_recursive_"])
def test_hydras_other_keys_are_refused(toyroom, key):
    assert refusal({"_target_": "toyroom.gates.Open", "one": 1, key: "all"}).what == f"some.node.{key}"


def test_nodes_inside_lists_and_tables_are_checked(toyroom):
    wrong = {"_target_": "toyroom.gates.Spade", "channels": 1}
    assert refusal(everything(whatever=[{"a": wrong}])).what == "some.node.whatever[0].a.hidden"
    assert refusal(everything(make={**PARTIAL, "hiden": 1})).what == "some.node.make.hiden"


def test_constructor_with_open_keywords_takes_any(toyroom):
    check({"_target_": "toyroom.gates.Open", "one": 1, "two": 2})
    assert refusal({"_target_": "toyroom.gates.Open", "two": 2}).what == "some.node.one"


def test_torch_optimizers_are_checked():
    check({"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 1e-3, "betas": [0.9, 0.99], "fused": True})
    assert refusal({"_target_": "torch.optim.AdamW", "_partial_": True, "lr": "fast"}).what == "some.node.lr"
    assert "weight_decay" in refusal({"_target_": "torch.optim.AdamW", "_partial_": True, "weight_deccay": 0.1}).do


def test_whole_configuration_passes(conf):
    schema.check(compose("run", [], directory=conf))


HARDWARE = yaml.safe_load(CONF["hardware/cpu.yaml"])


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"speed": 1}, "speed"),
        ({"seed": True}, "seed"),
        ({"seed": -1}, "seed"),
        ({"data": None}, "data"),
        ({"data": {"left": 1}}, "data"),
        ({"diffusion": {}}, "diffusion.schedule"),
        ({"training": 3}, "training"),
        ({"stages": ["report", "data"]}, "stages"),
        ({"stages": []}, "stages"),
        ({"stages": ["dta"]}, "stages"),
        ({"run": {"root": "runs", "fresh": "yes"}}, "run.fresh"),
        ({"run": {"root": "", "fresh": False}}, "run.root"),
        ({"hardware": HARDWARE | {"device": "tpu"}}, "hardware.device"),
        ({"hardware": HARDWARE | {"devices": 0}}, "hardware.devices"),
        ({"hardware": HARDWARE | {"stalled_after_minutes": 0}}, "hardware.stalled_after_minutes"),
        ({"hardware": {name: value for name, value in HARDWARE.items() if name != "threads"}}, "hardware.threads"),
    ],
)
def test_plain_settings_are_checked(conf, changed, place):
    with pytest.raises(FridoError) as caught:
        schema.check(compose("run", [], directory=conf) | changed)
    assert caught.value.what == place


@pytest.mark.parametrize("key", ["batch", "samples", "steps", "learning_rate"])
def test_sizes_are_positive(conf, key):
    with pytest.raises(FridoError, match=f"size.{key}"):
        schema.check(compose("run", [f"size.{key}=0"], directory=conf))


def test_removed_group_is_missing(conf):
    with pytest.raises(FridoError, match="data\n"):
        schema.check(compose("run", ["~data"], directory=conf))


@pytest.mark.parametrize(
    ("changed", "place", "got"),
    [
        ({"task": {"_target_": "toyroom.gates.FirstStage", "_partial_": True, "left": 1}}, "task", "FirstStage"),
        ({"task": {"_target_": "toyroom.gates.FirstStage", "autoencoder": 1, "left": 1}}, "task", "not partial"),
        (
            {"conditioning": {"_target_": "toyroom.gates.Conditioner", "_partial_": True}},
            "conditioning.left",
            "nothing",
        ),
    ],
)
def test_parts_finished_at_run_time_fit_their_place(conf, changed, place, got):
    with pytest.raises(FridoError) as caught:
        schema.check(compose("run", [], directory=conf) | changed)
    assert caught.value.what == place
    assert got in str(caught.value.got)
