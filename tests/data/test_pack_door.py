"""`python -m frido.pack`, called as a function."""

import json
import re

import pytest

from frido.pack import main

SMALL = [
    "source=scenes",
    "source.train=6",
    "source.val=2",
    "source.test=1",
    "source.scenes.resolution=32",
    "format.processes=1",
]


def test_packs_and_says_what(tmp_path, capsys):
    assert main([*SMALL, f"out={tmp_path / 'out'}"]) == 0
    printed = capsys.readouterr().out
    assert f"wrote {tmp_path / 'out'}" in printed and "6 train, 2 val, 1 test" in printed
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["splits"]["train"]["scenes"] == 6


def test_a_written_visual_genome_is_packed_like_the_real_one(tmp_path, capsys):
    rest = [argument for argument in SMALL if not argument.startswith("format")]
    assert main([*rest, "format=visual_genome", f"out={tmp_path / 'vg'}"]) == 0
    sizes = ("image_side.least=32", "object_side.least=1", "object_count.least=1", "relationship_count.least=0")
    words = ("frequent_categories.least=1", "frequent_attributes.least=1", "frequent_predicates.least=1")
    lowered = [f"source.filters.{setting}" for setting in (*sizes, *words)]
    root = f"source.root={tmp_path / 'vg'}"
    assert main(["source=visual_genome", root, *lowered, "format.processes=1", f"out={tmp_path / 'out'}"]) == 0
    printed = capsys.readouterr().out
    assert "6 train, 2 val, 1 test" in printed
    assert re.search(r"^  read +9 ", printed, re.MULTILINE) and re.search(r"^  kept, val +2 ", printed, re.MULTILINE)


def test_the_folder_one_is_in(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main([*SMALL, "out=."]) == 0
    monkeypatch.chdir(tmp_path)
    assert (tmp_path / "here" / "dataset.json").is_file() and [path.name for path in tmp_path.iterdir()] == ["here"]


def test_help_and_cfg(tmp_path, capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "source=visual_genome" in printed and "least: 2000" in printed
    assert main([*SMALL, f"out={tmp_path / 'out'}", "--cfg", "job"]) == 0
    assert "resolution: 32" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["out=x"], "add source="),
        (["verfy", "x"], "python -m frido.pack verify DIR"),
        (["source=scenes", "source.val=0", "out=/"], "something that is not a dataset"),
        (["source=visual_genomes", "out=x"], "visual_genome"),
        (["source=visual_genome", "out=x"], "source.root"),
        (["source=scenes"], "out=DIR"),
        (["source=scenes", "oout=x"], "out=x"),
        (["source=scenes", "+oout=x", "out=x"], "oout"),
        (["source=scenes", "out=x", "source.scenes.seeed=1"], "source.scenes.seed=1"),
        (["source=scenes", "out=x", "source.train=many"], "source.train"),
        (["source=scenes", "out=x", "source.train=0"], "source.train"),
        (["source=scenes", "out=x", "format.run=0"], "run of packing"),
        (["source=scenes", "out=x", "overwrite=maybe"], "overwrite"),
        (["source=scenes", "out=3"], "out"),
    ],
)
def test_bad_input_is_explained_and_writes_nothing(arguments, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert named in printed and all(part in printed for part in ("got:", "wanted:", "do:"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["verify", "stats", "index"])
def test_commands_on_what_is_no_dataset(command, tmp_path, capsys):
    assert main([command, str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main([command, str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert all(part in printed for part in ("got:", "wanted:", "do:"))
    assert list(tmp_path.iterdir()) == []


def test_every_command_has_help(capsys):
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    for command in ("verify", "stats", "index"):
        assert f"python -m frido.pack {command} DIR" in listed
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0 and "DIR" in capsys.readouterr().out
