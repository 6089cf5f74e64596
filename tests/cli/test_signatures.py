import importlib
import inspect
import subprocess
import sys
import time

import pytest

from frido.cli import signatures


@pytest.mark.parametrize("name", ["Spade", "Film", "Point", "Point3", "Pair", "Everything", "Open", "function"])
def test_source_and_inspect_agree(toyroom, name):
    ours = signatures.read(f"toyroom.gates.{name}")
    theirs = inspect.signature(getattr(importlib.import_module("toyroom.gates"), name)).parameters.values()
    plain = [parameter for parameter in theirs if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    assert set(ours.parameters) == {parameter.name for parameter in plain}
    for parameter in plain:
        assert ours.parameters[parameter.name].required == (parameter.default is inspect.Parameter.empty)
    assert ours.open == (len(plain) < len(list(theirs)))


@pytest.mark.parametrize(
    "target",
    [
        *("torch.optim.AdamW", "torch.optim.adamw.AdamW", "torch.nn.Conv2d", "torch.nn.SiLU", "torch.nn.LeakyReLU"),
        "torch.optim.lr_scheduler.CosineAnnealingLR",
    ],
)
def test_reexports_of_torch_are_followed(target):
    module, _, name = target.rpartition(".")
    theirs = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    assert list(signatures.read(target).parameters) == list(theirs)


def test_renamed_import_is_followed(toyroom):
    assert list(signatures.read("toyroom.menu.Renamed").parameters) == ["channels", "strength"]


@pytest.mark.parametrize(
    "target",
    [
        *("toyroom.gates.Gat", "toyroom.Gate", "toyroom", "nowhere.Thing", "toyroom.gates.Film.strength"),
        *("toyroom.menu.system", "toyroom.menu.os.system", "toyroom.gates.Width", "toyroom..gates.Film", ""),
    ],
)
def test_what_is_not_defined_there_is_unknown(toyroom, target):
    with pytest.raises(signatures.UnknownTargetError):
        signatures.read(target)


def test_unknown_target_knows_its_neighbours(toyroom):
    with pytest.raises(signatures.UnknownTargetError) as caught:
        signatures.read("toyroom.gates.Spode")
    assert "toyroom.gates.Spade" in caught.value.known


def test_reading_is_fast_and_imports_nothing():
    code = (
        "import sys, time; from frido.cli import signatures; start = time.perf_counter();"
        "[signatures.read(f'torch.{name}') for name in ('optim.AdamW', 'optim.Adam', 'nn.SiLU')];"
        "assert not {'torch', 'timm', 'numpy'} & set(sys.modules); print(time.perf_counter() - start)"
    )
    started = time.perf_counter()
    seconds = float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert seconds < 1.0  # 0.1 s on an idle machine
    assert time.perf_counter() - started < 5.0
