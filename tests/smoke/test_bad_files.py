"""Files that are missing, cut or foreign, met by the commands: four parts, exit code 2, nothing half-written."""

import json
from pathlib import Path

import pytest

from frido.pack import main as pack
from frido.report.__main__ import main as report
from frido.run import main as run

SMALL = ["debug=smoke", "tracking=files", "size.scenes=64", "data.source.val=8", "data.source.test=8"]


def refused(capsys, code: int) -> str:
    """Check the form of a refusal and return its text."""
    told = capsys.readouterr().err
    assert code == 2, told
    assert all(part in told for part in ("got:", "wanted:", "do:")), told
    assert "Traceback" not in told
    return told


@pytest.fixture
def visual_genome(tmp_path) -> Path:
    """Return eleven procedural scenes in Visual Genome's own layout."""
    out = tmp_path / "vg"
    counts = ["source.train=8", "source.val=2", "source.test=1"]
    assert pack(["source=scenes", "format=visual_genome", f"out={out}", *counts]) == 0
    return out


def repack(root: Path, out: Path, *more: str) -> int:
    vocabulary = [f"source.filters.frequent_{words}.least=1" for words in ("categories", "attributes", "predicates")]
    sides = [
        f"source.filters.{side}" for side in ("image_side.least=32", "object_side.least=1", "object_count.least=1")
    ]
    return pack(["source=visual_genome", f"source.root={root}", f"out={out}", *vocabulary, *sides, *more])


def started(tmp_path: Path) -> tuple[list[str], Path]:
    """Return a command whose data stage is done, and its packed folder."""
    command = ["experiment=vg_sg2im", "data=scenes", *SMALL, f"run.root={tmp_path / 'runs'}"]
    assert run([*command, "stages=[data]"]) == 0
    (packed,) = (tmp_path / "runs" / "stages" / "data").glob("*/dataset.json")
    return command, packed.parent


def test_a_shard_cut_short(tmp_path, capsys):
    command, packed = started(tmp_path)
    shard = packed / "train-000000.tar"
    shard.write_bytes(shard.read_bytes()[:-2000])
    told = refused(capsys, run([*command, "stages=[autoencoder]"]))
    assert "train-000000.tar" in told
    assert not list((tmp_path / "runs").rglob("autoencoder.safetensors"))


def test_an_index_that_is_gone(tmp_path, capsys):
    command, packed = started(tmp_path)
    (packed / "train-000000.index.json").unlink()
    assert "train-000000.index.json" in refused(capsys, run([*command, "stages=[autoencoder]"]))


def test_bytes_of_an_image_overwritten(tmp_path, capsys):
    command, packed = started(tmp_path)
    shard = packed / "train-000000.tar"
    content = bytearray(shard.read_bytes())
    place = content.index(b"\x89PNG") + 40
    content[place : place + 200] = bytes(200)
    shard.write_bytes(content)
    told = refused(capsys, run([*command, "stages=[autoencoder]"]))
    assert "train-" in told and "image" in told


def test_a_corrupt_jpeg_while_packing(visual_genome, tmp_path, capsys):
    for picture in (visual_genome / "VG_100K").glob("*.jpg"):
        picture.write_bytes(picture.read_bytes()[:-200])
    assert "VG_100K/" in refused(capsys, repack(visual_genome, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_raw_dataset_without_its_files(visual_genome, tmp_path, capsys):
    (visual_genome / "objects.json").unlink()
    assert "objects.json" in refused(capsys, repack(visual_genome, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_packing_over_another_dataset(visual_genome, tmp_path, capsys):
    assert repack(visual_genome, tmp_path / "out") == 0
    before = (tmp_path / "out" / "dataset.json").read_bytes()
    assert "overwrite=true" in refused(
        capsys, repack(visual_genome, tmp_path / "out", "source.filters.object_count.most=2")
    )
    assert (tmp_path / "out" / "dataset.json").read_bytes() == before


def test_a_checkpoint_of_nothing(tmp_path, capsys):
    command, _ = started(tmp_path)
    told = refused(capsys, run([*command, "stages=[sample]"]))
    assert "stage" in told
    assert not list((tmp_path / "runs").glob("vg_sg2im/*/samples/*/generated"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (None, "No such file"),
        ("[{", "JSON"),
        ('[{"objects": []}]', "objects"),
        ('[{"objects": ["red circle"], "relationships": [[0, "left of", 7]]}]', "0..0"),
        ('[{"objects": [{"name": "star", "box": [3, 4, 50, 60]}]}]', "fractions"),
    ],
)
def test_a_wish_that_cannot_be_read(tmp_path, capsys, text, hint):
    from frido.contracts.errors import FridoError
    from frido.data.sources.scenes import VOCABULARY
    from frido.data.wishes import read

    file = tmp_path / "wish.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(FridoError, match=hint):
        read(file, VOCABULARY)


def test_a_report_of_no_run(tmp_path, capsys):
    assert "config.yaml" in refused(capsys, report([str(tmp_path)]))
    assert not (tmp_path / "report.html").exists()


def test_two_commands_on_one_run(tmp_path, capsys):
    from frido.cli.locks import hold

    command, _ = started(tmp_path)
    (directory,) = (path.parent for path in (tmp_path / "runs").glob("vg_sg2im/*/config.yaml"))
    with hold(directory, wait=False):
        assert "in use by process" in refused(capsys, run([*command, "stages=[autoencoder]"]))


def test_words_of_a_wish_are_read_in_any_form(tmp_path):
    from frido.data.sources.scenes import VOCABULARY
    from frido.data.wishes import read

    (tmp_path / "wish.txt").write_text("Large red circle left of blue square; blue square above star\n\n")
    (scene,) = read(tmp_path / "wish.txt", VOCABULARY)
    assert [(item.category, item.attributes) for item in scene.objects] == [
        ("circle", ("red", "large")),
        ("square", ("blue",)),
        ("star", ()),
    ]
    assert [(r.subject, r.predicate, r.object) for r in scene.relationships] == [(0, "left of", 1), (1, "above", 2)]
    (tmp_path / "wish.json").write_text(json.dumps({"objects": ["circle", "star"], "relationships": [[0, "near", 1]]}))
    assert len(read(tmp_path / "wish.json", VOCABULARY)[0].objects) == 2


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["conditioning=none"], "without a condition"),
        (["diffusion.sampler.steps=2000"], "diffusion.sampler.steps"),
        (["diffusion/schedule=zero_terminal_snr", "diffusion/parameterization=eps"], "parameterization"),
        (["denoiser/attention=plain"], "denoiser/attention"),
        (["task/scales=quotas", "task.scales.quotas=[0,1]"], "quotas"),
    ],
)
def test_a_second_stage_that_cannot_be_is_refused_before_the_first_is_trained(settings, told, tmp_path, capsys):
    command = ["experiment=vg_sg2im", "data=scenes", *SMALL, f"run.root={tmp_path / 'runs'}", *settings]
    assert told in refused(capsys, run(command))
    assert not list((tmp_path / "runs").rglob("checkpoints"))
    assert not list((tmp_path / "runs").rglob("autoencoder.safetensors"))
