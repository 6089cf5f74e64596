"""Scores of images that no run made: folders, tars, packed datasets, samples of a run."""

import io
import json
import tarfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from frido.cli.compose import compose
from frido.cli.scoring import door
from frido.run import main
from tests.metrics.pictures import held_out

COUNT = 110  # a Fréchet distance wants 100
ONE_THREAD = "hardware.threads=1"


@pytest.fixture(scope="module")
def given():
    images, scenes = held_out(COUNT)
    return images, [replace(scene, image=b"", segmentation=b"") for scene in scenes]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(door, "compose", lambda primary, overrides: composed(primary, *overrides))


@cache
def composed(*arguments):
    """Compose every configuration once: that takes longer than all else here."""
    return compose(arguments[0], arguments[1:])


def encoded(image: torch.Tensor, ending: str = "png") -> bytes:
    file = io.BytesIO()
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, format=ending, **options)
    return file.getvalue()


def folder(name: str, images, *, names=None, ending="png") -> Path:
    root = Path(name)
    for row, image in enumerate(images):
        path = root / f"{names[row] if names else f'{row:04d}'}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image, ending))
    return root


def tar(name: str, samples: list[tuple[str, dict[str, bytes]]]) -> Path:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(name, "w") as file:
        for key, members in samples:
            for ending, content in members.items():
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return Path(name)


def score(*arguments: str, out: str = "scores.json") -> dict:
    assert main([*arguments, ONE_THREAD]) == 0
    return json.loads(Path(out).read_text())


def refused(capsys, *arguments: str) -> str:
    assert main([*arguments, ONE_THREAD]) == 2
    return capsys.readouterr().err


def test_a_folder_against_itself(given, capsys):
    folder("pictures", given[0])
    scores = score("real=pictures", "generated=pictures", "metrics=[scenes,similarity]")
    assert scores["pairs"] is True
    assert scores["scores"]["fid/scenes@110"] == pytest.approx(0, abs=1e-6)
    assert (scores["scores"]["psnr@110"], scores["scores"]["ssim@110"]) == pytest.approx((100, 1))
    card = scores["cards"]["fid/scenes@110"]
    assert card["real"] == card["generated"] == scores["real"]
    assert (scores["real"]["images"], scores["real"]["sizes"], scores["real"]["from"]) == (110, ["64 x 64"], "pictures")
    assert len(scores["real"]["sha256"]) == 64
    assert len(list(Path("runs/stages/reference").rglob("features.safetensors"))) == 1
    assert "no scenes" in scores["cards"]["judge/recall"]["refused"]
    assert scores["rows"]["0007"]["psnr@110"] == 100
    shown = capsys.readouterr().out
    assert "fid/scenes@110" in shown and "psnr@110" in shown and "refused: there are no scenes" in shown
    assert "scores: scores.json" in shown


def test_unequal_counts_of_tars_and_a_folder(given, capsys):
    """No pairs: the same as the distance of the same images in folders, whatever the order."""
    images, _ = given
    samples = [(f"shot-{row:03d}", {"jpg": encoded(image, "png"), "txt": b"hm"}) for row, image in enumerate(images)]
    tar("shards/b.tar", samples[:50])
    tar("shards/a.tar", samples[50:])
    folder("mine", images[:105].flip(3), ending="webp")
    folder("theirs", images)
    scores = score("real=shards", "generated=mine", "metrics=[scenes,similarity]")
    assert scores["pairs"] is False and scores["real"]["kind"] == "WebDataset tars"
    assert (scores["real"]["images"], scores["generated"]["images"]) == (110, 105)
    again = score("real=theirs", "generated=mine", "metrics=scenes", "out=again.json", out="again.json")
    assert scores["scores"]["fid/scenes@105"] == pytest.approx(again["scores"]["fid/scenes@105"], rel=1e-9)
    assert scores["scores"]["fid/scenes@105"] > 0.1
    assert "no pairs" in scores["cards"]["psnr@0"]["refused"]
    assert "the names on both sides are not the same" in capsys.readouterr().out


def test_names_pair_whatever_the_order_and_the_format(given):
    """A tar in reverse order, whose images are the folder's own, but for one."""
    images, _ = given
    made = [*images[:3], images[3].flip(2), *images[4:12]]
    names = [f"day-{row % 3}/{row:04d}" for row in range(12)]
    folder("real", images[:12], names=names)
    tar("made.tar", [(names[row], {"webp": encoded(made[row], "webp")}) for row in reversed(range(12))])
    scores = score("real=real", "generated=made.tar", "metrics=similarity")
    assert scores["pairs"] is True
    assert set(scores["rows"]) == set(names)
    assert [name for name in names if scores["rows"][name]["psnr@12"] != 100] == [names[3]]


def test_samples_of_a_run_and_a_packed_dataset(given):
    images, scenes = given
    rows = [f"{row:06d}" for row in range(COUNT)]
    folder("runs/x/1/samples/test/generated", images.flip(3), names=rows)
    folder("runs/x/1/samples/test/real", images, names=rows)
    Path("runs/x/1/samples/test/scenes.json").write_text(json.dumps([scene.to_json() for scene in scenes]))
    samples = "runs/x/1/samples/test"
    scores = score(f"real={samples}", f"generated={samples}", "metrics=[scenes,scenefid_scenes,similarity]")
    assert scores["pairs"] is True and scores["generated"]["kind"] == "samples of a run"
    assert scores["scores"]["judge/recall"] > 0.9 > scores["scores"]["judge/relations"]
    assert scores["parts"]["judge/recall"]["objects 1"]["count"] > 0
    objects = sum(len(scene.objects) for scene in scenes)
    assert scores["scores"][f"scenefid/scenes@{objects}"] > 0
    assert scores["rows"]["000003"].keys() >= {"judge/recall", f"psnr@{COUNT}"}

    assert main(["real=nothing", f"generated={samples}"]) == 2
    packed = [(f"s{row}", {"png": encoded(image)}) for row, image in enumerate(images)]
    tar("packed/test-000000.tar", packed)
    from frido.pack import main as pack

    assert pack(["index", "packed", "--processes", "1"]) == 0
    other = score("real=packed:test", f"generated={samples}", "metrics=scenes")
    assert other["pairs"] is False and other["real"]["kind"] == "packed dataset"
    assert other["scores"][f"fid/scenes@{COUNT}"] == pytest.approx(scores["scores"][f"fid/scenes@{COUNT}"], rel=1e-9)


def test_scenes_of_either_side_of_a_pair_count(given):
    """The real side is a tar of scenes, in another order, the generated one a plain folder."""
    images, scenes = given
    samples = [
        (f"{row:04d}", {"png": encoded(image), "json": json.dumps(scene.to_json()).encode()})
        for row, (image, scene) in enumerate(zip(images[:20], scenes, strict=False))
    ]
    tar("real.tar", samples[::-1])
    folder("made", images[:20])
    scores = score("real=real.tar", "generated=made", "metrics=scenes")
    assert scores["scores"]["judge/recall"] == scores["scores"]["judge/recall_real"] > 0.9
    assert "20 images" in scores["cards"]["fid/scenes@20"]["refused"]


def test_sizes_may_differ_but_not_in_pairs(given):
    images, _ = given
    large = torch.nn.functional.interpolate(images[:60].float(), (80, 72), mode="bilinear").round().byte()
    names = [f"{row:04d}" for row in range(COUNT)]
    folder("mixed", large, names=names[0::2] + names[1::2])
    folder("mixed", images[60:], names=(names[0::2] + names[1::2])[60:])
    folder("grouped", large)
    folder("grouped", images[60:], names=names[60:])
    folder("other", images.flip(3))
    mixed, grouped = (
        score(f"real={root}", "generated=other", "metrics=[scenes,similarity]") for root in ("mixed", "grouped")
    )
    assert mixed["scores"]["fid/scenes@110"] == pytest.approx(grouped["scores"]["fid/scenes@110"], rel=1e-9)
    assert "several sizes" in mixed["cards"]["psnr@110"]["refused"]
    assert mixed["real"]["sizes"] == ["64 x 64", "72 x 80"]


def test_broken_images_are_named(given, capsys):
    folder("good", given[0][:4])
    folder("bad", given[0][:4])
    for name in ("0001", "0003"):
        Path(f"bad/{name}.png").write_bytes(b"no image")
    said = refused(capsys, "real=good", "generated=bad", "metrics=similarity")
    assert "bad/0001.png" in said and "bad/0003.png" in said and "0002" not in said
    Path("bad/0001.png").write_bytes(encoded(given[0][1])[:-400])  # its head is whole
    Path("bad/0003.png").unlink()
    Path("good/0003.png").unlink()
    assert "bad/0001.png" in refused(capsys, "real=good", "generated=bad", "metrics=similarity")
    assert not Path("scores.json").exists()


def test_orientation_transparency_and_grey_are_followed(given):
    """As training sees such files."""
    turned = Image.fromarray(given[0][0].permute(1, 2, 0).numpy()).rotate(90, expand=True)
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 270 degrees
    Path("phone").mkdir()
    turned.save("phone/a.png", exif=exif)
    grey = Image.fromarray(np.full((64, 64), 7, dtype=np.uint8))
    grey.save("phone/b.png")
    folder("plain", [given[0][0], torch.full((3, 64, 64), 7, dtype=torch.uint8)], names=["a", "b"])
    assert score("real=plain", "generated=phone", "metrics=similarity")["scores"]["psnr@2"] == 100


def test_only_our_own_file_is_replaced(given, capsys):
    folder("a", given[0][:3])
    folder("b", given[0][:3].flip(3))
    arguments = ("real=a", "generated=b", "metrics=similarity")
    first = score(*arguments)
    capsys.readouterr()
    assert score("real=a", "generated=a", "metrics=similarity")["scores"] != first["scores"]
    assert "in place of those of b against a" in capsys.readouterr().out
    Path("notes.json").write_text('{"mine": 1}')
    assert "holds no scores" in refused(capsys, *arguments, "out=notes.json")
    assert Path("notes.json").read_text() == '{"mine": 1}'
    assert "a folder" in refused(capsys, *arguments, "out=a")
    assert score(*arguments, "out=deep/er/x.json", out="deep/er/x.json")["scores"] == first["scores"]


BAD = [
    (["real=good"], "generated"),
    (["generated=good"], "real"),
    (["real=good", "generated=gone"], "nothing there"),
    (["real=good", "generated=empty"], "without images"),
    (["real=good", "generated=notes.txt"], "a file .txt"),
    (["real=good", "generated=both"], "tars and"),
    (["real=good", "generated=packed"], "one of its splits"),
    (["real=good", "generated=packed:val"], "split val"),
    (["real=good", "generated=cut.tar"], "cut.tar"),
    (["real=good", "generated=good", "real=good"], "given twice"),
    (["real=good", "generated="], "nothing after"),
    (["real=good", "generated=good", "seed=1"], "seed=1"),
    (["real=good", "generated=good", "metrics=none"], "no metrics"),
    (["real=good", "generated=good", "metrics=nonsense"], "nonsense"),
    (["real=good", "generated=good", "metrics=inception"], "Inception"),
    (["real=good", "generated=good", "metrics=clip"], "encoder"),
    (["real=good", "generated=good", "metrics=scenes", "hardware.devices=2"], "one process"),
    (["real=good", "generated=good", "metrics=scenes", "hardware=slurm"], "Slurm"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_what_is_refused(given, capsys, monkeypatch, arguments, said):
    monkeypatch.setenv("TORCH_HOME", "nowhere")
    folder("good", given[0][:2])
    Path("empty").mkdir()
    Path("notes.txt").write_text("x")
    folder("both", given[0][:1])
    tar("both/x.tar", [("a", {"png": encoded(given[0][0])})])
    tar("packed/test.tar", [("a", {"png": encoded(given[0][0])})])
    content = tar("cut.tar", [("a", {"png": encoded(given[0][0])})]).read_bytes()
    Path("cut.tar").write_bytes(content[:1500])
    if "packed" in " ".join(arguments):
        from frido.pack import main as pack

        assert pack(["index", "packed", "--processes", "1"]) == 0
    message = refused(capsys, *arguments)
    assert said in message
    assert "Traceback" not in message and not Path("scores.json").exists()
