"""Habits of the files under conf/."""

import importlib
import inspect

import pytest

from frido.cli import options, signatures
from frido.cli.schema import ALLOWED
from tests.conf.menu import CONF, GROUPS, OPTIONS, RECIPES, TARGETS, read

NEUTRAL = (None, (), "", False)
"""Defaults in Python that no experiment could report."""


@pytest.mark.parametrize("target", TARGETS)
def test_source_and_inspect_agree(target):
    module, _, name = target.rpartition(".")
    theirs = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    plain = [p for p in theirs if p.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)]
    ours = signatures.read(target)
    required = {p.name: p.default is inspect.Parameter.empty for p in plain}
    assert {name: parameter.required for name, parameter in ours.parameters.items()} == required


@pytest.mark.parametrize("target", [target for target in TARGETS if target.startswith("frido.")])
def test_constructor_is_a_schema(target):
    assert target.startswith(ALLOWED)
    module, _, name = target.rpartition(".")
    for parameter in inspect.signature(getattr(importlib.import_module(module), name)).parameters.values():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{parameter} may be given by position, or is **"
        assert parameter.annotation is not inspect.Parameter.empty, f"{parameter} has no type"
        if parameter.default is not inspect.Parameter.empty:
            assert parameter.default in NEUTRAL, f"{parameter}: numbers live in YAML"


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: str(path.relative_to(CONF)))
def test_option_says_what_it_is(path):
    assert options.headline(path)


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_opens_with_question_command_cost_expectation(recipe):
    lines = (CONF / f"{recipe}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    labels = ["Question", "Command", "Cost", "Expect"]
    opening = [line for line in lines[1:] if line.startswith("# ") and line.split()[1] in labels]
    assert [line.split()[1] for line in opening] == labels
    assert all(len(line.split()) > 2 for line in opening)
    group, _, name = recipe.partition("/")
    assert f"{group}={name}" in opening[1]


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_sets_no_key_inside_a_swappable_group(recipe):
    swappable = {group.partition("/")[0] for group in GROUPS} - {"hydra"} | {"first_stage"}
    assert not swappable & (read(CONF / f"{recipe}.yaml").keys() - {"defaults"})


def test_sizes_have_the_same_dials():
    assert len({tuple(read(CONF / "size" / f"{name}.yaml")) for name in GROUPS["size"]}) == 1
