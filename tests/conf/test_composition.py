"""Every recipe, every option, and every pair of options of the great groups compose and pass the check."""

import itertools

import pytest

from frido.cli.compose import compose
from frido.cli.rundir import run_hash
from frido.cli.schema import check
from frido.cli.suggest import keys_of_groups
from frido.contracts.errors import FridoError
from tests.conf.menu import CONF, GROUPS, RECIPES

CROSSED = ("data", "autoencoder", "denoiser", "size")
PLACES = [key for key in keys_of_groups("run", CONF) if "@" in key]
MOUNTED = {key.partition("@")[0] for key in PLACES}


def parents(group: str) -> list[list[str]]:
    """Return what else to choose so that `group` is in the defaults list: nothing, or an option that holds it."""
    parent, _, _ = group.rpartition("/")
    return [[], *([f"{parent}={option}"] for option in GROUPS.get(parent, []))]


def single_options() -> list[tuple[str, str]]:
    typed = {key for key in keys_of_groups("run", CONF) if "@" not in key}
    tops = {key.partition("/")[0] for key in typed} - {"experiment", "study"}
    return [
        (group, option)
        for group, names in GROUPS.items()
        for option in names
        if group.partition("/")[0] in tops and group not in CROSSED and group not in MOUNTED
    ]


def crossed() -> list[tuple[str, ...]]:
    """Return choices among which every option of a great group meets every option of each other."""
    data, autoencoders, denoisers, sizes = (GROUPS[group] for group in CROSSED)
    most = max(len(data), len(autoencoders), len(denoisers))
    places = [(i + j, i, j, i + 2 * j) for i in range(most) for j in range(most)]
    lists = (data, autoencoders, denoisers, sizes)
    return [tuple(names[k % len(names)] for names, k in zip(lists, place, strict=True)) for place in places]


def test_every_pair_of_options_is_among_the_choices():
    for (one, first), (other, second) in itertools.combinations(enumerate(CROSSED), 2):
        met = {(choice[one], choice[other]) for choice in crossed()}
        assert met == set(itertools.product(GROUPS[first], GROUPS[second]))


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe(recipe):
    group, _, name = recipe.partition("/")
    check(compose("run", [f"{group}={name}"]))


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe.startswith("experiment/")])
@pytest.mark.parametrize("size", GROUPS["size"])
def test_recipe_on_the_embedded_data_at_every_size(recipe, size):
    check(compose("run", [f"experiment={recipe.partition('/')[2]}", "data=scenes", f"size={size}"]))


@pytest.mark.parametrize(("group", "option"), single_options())
def test_option(group, option):
    *attempts, last = parents(group)
    for attempt in attempts:
        try:
            return check(compose("run", [*attempt, f"{group}={option}"]))
        except FridoError:
            continue
    check(compose("run", [*last, f"{group}={option}"]))


@pytest.mark.parametrize("place", ["learning_rate@training.denoiser.schedule", "averages@training.denoiser"])
def test_option_in_its_place(place):
    assert place in PLACES
    for option in GROUPS[place.partition("@")[0]]:
        check(compose("run", [f"{place}={option}"]))


@pytest.mark.parametrize("choice", crossed(), ids="-".join)
def test_cross_product(choice):
    check(compose("run", [f"{group}={option}" for group, option in zip(CROSSED, choice, strict=True)]))


def test_hardware_does_not_change_what_is_computed():
    assert len({run_hash(compose("run", [f"hardware={name}"])) for name in GROUPS["hardware"]}) == 1


def test_any_working_directory_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(compose("run", []))
    assert not list(tmp_path.iterdir())  # no outputs/ of Hydra's
