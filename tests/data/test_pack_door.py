"""`python -m frido.pack`, called as a function."""

import json

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
    sizes = [
        "source.min_image_side=32",
        "source.min_object_side=1",
        "source.min_objects=1",
        "source.min_relationships=0",
    ]
    counts = [f"source.min_{kind}_instances=1" for kind in ("object", "attribute", "relationship")]
    root = f"source.root={tmp_path / 'vg'}"
    assert main(["source=visual_genome", root, *sizes, *counts, "format.processes=1", f"out={tmp_path / 'out'}"]) == 0
    printed = capsys.readouterr().out
    assert "6 train, 2 val, 1 test" in printed and "9 in splits" in printed


def test_help_and_cfg(tmp_path, capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "source=visual_genome" in printed and "min_object_instances: 2000" in printed
    assert main([*SMALL, f"out={tmp_path / 'out'}", "--cfg", "job"]) == 0
    assert "resolution: 32" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["out=x"], "add source="),
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
