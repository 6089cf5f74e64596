"""`match=`: the search, the command's words, and an arm that is written."""

import shutil

import pytest
import yaml

from frido.cli.compose import compose
from frido.cli.match import request
from frido.cli.match.search import search
from frido.cli.options import config_dir
from frido.run import main

COMMAND = ["match=parameters", "arm=per_scale", "like=shared"]
RECIPE = ["experiment=vg_sg2im", "data=scenes", "size=tiny"]


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    """Return a copy of the configuration folder, which commands write to."""
    folder = tmp_path_factory.mktemp("match") / "conf"
    shutil.copytree(config_dir(), folder)
    (folder / "arm" / "per_scale_matched.yaml").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("frido.cli.match.door.config_dir", lambda: folder)
        yield folder


@pytest.mark.parametrize(
    ("target", "start", "expected"),
    [(50.0, 4, (7, 8)), (49.0, 4, (6, 7)), (50.0, 100, (7, 8)), (0.5, 4, (None, 1)), (1e9, 4, (256, None))],
)
def test_search_finds_both_sides(target, start, expected):
    assert (
        search(lambda value: float(value**2), fits=lambda value: value <= 256, target=target, start=start) == expected
    )


def test_search_takes_only_what_fits():
    assert search(float, fits=lambda value: value % 8 == 0, target=50.0, start=16) == (48, 56)


def test_search_asks_seldom():
    asked = set()

    def amount(value: int) -> float:
        asked.add(value)
        return float(value**2)

    search(amount, fits=lambda value: True, target=300.0**2, start=64)
    assert len(asked) <= 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["match=paramters", *COMMAND[1:]], "match=parameters"),
        (["match=parameters", "like=shared"], "arm="),
        ([*COMMAND[:2], "like=shraed"], "like=shared"),
        ([*COMMAND[:2], "like=per_scale"], "another arm"),
        ([*COMMAND, "name=../elsewhere"], "name=per_scale_matched"),
        ([*COMMAND, "name=shared"], "name=per_scale_matched"),
        ([*COMMAND, "with=denoiser/gate=concat"], "with="),
        ([*COMMAND, "with=groups=16"], "with="),
        ([*COMMAND, "by=denoiser.widht"], "denoiser.width"),
        ([*COMMAND, "by=denoiser.dropout"], "whole number"),
        ([*COMMAND, "size=tiny", "size=small", "denoiser.widht=4"], "denoiser.width"),
    ],
)
def test_bad_words_are_refused(conf, arguments, told, capsys):
    before = sorted((conf / "arm").iterdir())
    assert main(arguments) == 2
    assert told in capsys.readouterr().err
    assert sorted((conf / "arm").iterdir()) == before


def test_a_file_that_a_person_wrote_is_kept(conf, capsys):
    file = conf / "arm" / "mine.yaml"
    file.write_text("# @package _global_\n# Mine.\nseed: 3\n")
    assert main([*COMMAND, "name=mine"]) == 2
    assert "a person wrote" in capsys.readouterr().err and "Mine" in file.read_text()


def test_settings_of_the_new_arm():
    asked = request.read([*COMMAND, "with=[denoiser.groups=19,denoiser.dropout=0.1]", "size=tiny"], config_dir())
    assert asked.fixed == ("denoiser.groups=19", "denoiser.dropout=0.1")
    assert asked.by == request.BY and asked.name == "per_scale_matched" and asked.others == ("size=tiny",)


def test_an_arm_is_written(conf, capsys):
    assert main(["match=parameters", "arm=film", "like=concat", "name=narrow", *RECIPE]) == 0
    assert "narrow: 857,568, size.width=48" in capsys.readouterr().out
    file = conf / "arm" / "narrow.yaml"
    assert "857,568 here, 832,712 in `concat`: 3.0 % more" in file.read_text()
    ours = compose("run", [*RECIPE, "arm=narrow"], directory=conf)
    assert ours["denoiser"]["gate"]["_target_"].endswith("FilmGate") and ours["size"]["width"] == 48


@pytest.mark.slow
def test_the_arm_of_the_study_is_what_its_command_writes(conf, capsys):
    assert main([*COMMAND, "with=denoiser.groups=19", *RECIPE]) == 0
    assert "size.width=38" in capsys.readouterr().out
    text = (conf / "arm" / "per_scale_matched.yaml").read_text()
    assert "1,077,292 here, 1,038,816 in `shared`: 3.7 % more" in text
    assert yaml.safe_load(text)["size"] == {"width": 38}
    ours, theirs = (compose("run", [*RECIPE, "arm=per_scale_matched"], directory=where) for where in (conf, None))
    assert ours == theirs
    assert ours["denoiser"]["trunk"]["_target_"].endswith("PerScaleTrunk") and ours["denoiser"]["width"] == 38


@pytest.mark.slow
def test_a_width_of_coarse_norms_is_passed_over(conf, capsys):
    """37 is nearest, but shares no factor with 32 groups: its norms would be over all channels."""
    assert main([*COMMAND, *RECIPE]) == 2
    told = capsys.readouterr().err
    assert "size.width=40, 13.8 % more" in told and "size.width=37, 1.1 % less" in told
    assert "with=denoiser.groups=19" in told


@pytest.mark.slow
def test_out_of_reach_is_refused(conf, capsys):
    """The hidden width of the gates cannot make up for a second trunk."""
    assert main([*COMMAND, *RECIPE, "by=size.gate_width"]) == 2
    assert "size.gate_width=1" in capsys.readouterr().err


@pytest.mark.slow
def test_operations_are_matched(conf):
    assert main(["match=flops", "arm=concat", "like=spade", "with=denoiser.groups=18", *RECIPE]) == 0
    text = (conf / "arm" / "concat_matched.yaml").read_text()
    assert "width: 54" in text and "0.8 % less" in text


def test_time_is_that_of_an_image(one_thread):
    from frido.cli.dry_run import dataset
    from frido.cli.match import measure

    config = compose("run", [*RECIPE, "size.batch=2", "hardware.threads=1"])
    seconds = measure.seconds(config, dataset.look(config))
    assert 0.0005 < seconds < 5.0  # 0.01 to 0.03 where nothing else is at work
