from pathlib import Path

import pytest

from frido.cli.compose import compose, parsed, recipe
from frido.cli.options import config_dir, groups, headline
from frido.contracts.errors import FridoError


def refusal(conf: Path, *overrides: str) -> FridoError:
    with pytest.raises(FridoError) as caught:
        compose("run", list(overrides), directory=conf)
    return caught.value


def test_interpolations_are_resolved_to_plain_values(conf):
    config = compose("run", ["size.width=5"], directory=conf)
    assert config["denoiser"]["table"] == {"width": 5}
    assert type(config["denoiser"]["sizes"]) is list
    assert "experiment" not in config


def test_recipe_without_plus(conf):
    overrides = ["experiment=gating/film"]
    assert compose("run", overrides, directory=conf)["denoiser"]["gate"]["strength"] == 1.0
    assert (recipe(overrides), recipe(["seed=1"])) == ("gating/film", "main")


def test_command_line_wins_over_recipe(conf):
    config = compose("run", ["experiment=gating/film", "denoiser/gate=spade"], directory=conf)
    assert config["denoiser"]["gate"] == {"_target_": "toyroom.gates.Spade", "_partial_": True, "hidden": 4}


def test_missing_values_stay_for_the_schema(conf):
    assert compose("run", ["denoiser=unfinished"], directory=conf)["denoiser"]["size"] == "???"


@pytest.mark.parametrize(
    ("override", "what", "do"),
    [
        ("experiment=gating/flim", "experiment=gating/flim", "experiment=gating/film"),
        ("+experiment=gating/flim", "experiment=gating/flim", "experiment=gating/film"),
        ("+experiment=gating/film", "experiment", "experiment=gating/film"),
        ("denoiser=tow", "denoiser=tow", "denoiser=two"),
        ("denoiser/gate=fim", "denoiser/gate=fim", "denoiser/gate=film"),
        ("denoisr=two", "denoisr", "denoiser=two"),
        ("denoiser/gat=film", "denoiser/gat", "denoiser/gate=film"),
        ("denoiser.sises=[1]", "denoiser.sises", "denoiser.sizes=[1]"),
        ("batch=8", "batch", "size.batch=8"),
        ("size.bacth=8", "size.bacth", "size.batch=8"),
        ("sizes.batch=8", "sizes.batch", "size.batch=8"),
        ("seed.x=8", "seed.x", ""),
        ("+seed=3", "seed", "seed=3"),
        ("~denoiser.sizes", "denoiser.sizes", "denoiser.sizes=VALUE"),
        ("~nothing", "nothing", ""),
        ("seed=1,2", "the override", "add -m"),
        ("seed=range(3)", "the override", "add -m"),
        ("seed=[1", "the override", "quote"),
        ("seed", "the argument", "--help"),
        ("=3", "the argument", "--help"),
        ("a=b=c", "the override", "quote"),
        ("size=", "size", "size=tiny"),
        ("experiment=null", "experiment", "leave it out"),
        ("hydra.run.dir=x", "hydra.run.dir", "leave out"),
        ("seed=${sed}", "seed", "seed=${seed}"),
        ("seed=${env:X}", "seed", "seed=VALUE"),
        ("seed=${oc.env:FRIDO_NO_SUCH_VARIABLE}", "seed", "seed=VALUE"),
        ("denoiser=dangling", "denoiser.size", "${size.width}"),
        ("denoiser=crooked", "crooked.yaml, line", "correct that line"),
        ("experiment=wrong", "asked for by conf/experiment/wrong.yaml", "write two in its place"),
        ("experiment=lost", "denoisers in experiment/lost.yaml", "denoiser"),
    ],
)
def test_refusals_name_place_and_way_out(conf, override, what, do):
    error = refusal(conf, override)
    assert what in error.what
    assert do in error.do
    assert "\n" not in f"{error.what}{error.got}{error.wanted}{error.do}"


def test_unknown_option_lists_the_known(conf):
    assert "one, two" in refusal(conf, "denoiser=three").wanted.replace("dangling, ", "").replace("evil, ", "")


def test_parsed_values():
    assert parsed("stages=[sample,report]") == ["sample", "report"]
    with pytest.raises(FridoError):
        parsed("stages=[sample")


def test_menu_reads_groups_and_comments(conf):
    menu = groups(conf)
    assert menu["denoiser/gate"] == ["film", "spade"]
    assert menu["experiment"] == ["gating/film", "lost", "wrong"]
    assert headline(conf / "denoiser" / "two.yaml") == "Another."
    assert headline(conf / "experiment" / "gating" / "film.yaml", "Question") == "Is FiLM enough?"


def test_the_real_folder_is_found_from_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (config_dir() / "run.yaml").is_file()
