import hashlib
import io
import json
import tarfile
import warnings

import numpy as np
import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.shards import Shards, read_spec


def digests(root) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(root.iterdir())}


def test_same_source_and_settings_give_the_same_bytes(tmp_path, dataset, make_source, make_packing):
    """However many processes write."""
    make_packing(processes=2).write(make_source(), tmp_path / "again", quiet=True)
    assert digests(tmp_path / "again") == digests(dataset)


def test_order_of_writing_is_seeded_and_shuffled(tmp_path, dataset, make_source, make_packing):
    rows = [Shards.below(dataset, "train").scene(row).id for row in range(60)]
    assert sorted(rows) == [f"train-{index:07d}" for index in range(60)] and rows != sorted(rows)
    make_packing(seed=1).write(make_source(), tmp_path / "other", quiet=True)
    assert [Shards.below(tmp_path / "other", "train").scene(row).id for row in range(60)] != rows


def test_what_is_read_is_what_was_rendered(dataset, make_source):
    source = make_source()
    for split in ("train", "val", "test"):
        shards = Shards.below(dataset, split)
        read = {shards.scene(row).id: shards.scene(row) for row in range(len(shards))}
        assert len(read) == source.count(split)
        for index in range(source.count(split)):
            scene = source.scene(split, index)
            assert read[scene.id] == scene and read[scene.id].image == scene.image


def test_spec_tells_everything(dataset):
    spec = read_spec(dataset)
    assert {split: part["scenes"] for split, part in spec["splits"].items()} == {"train": 60, "val": 10, "test": 5}
    assert spec["order"] == {"run": 3, "block": 2} and spec["evaluation"] is None
    for part in (part for split in spec["splits"].values() for part in split["shards"]):
        content = (dataset / part["name"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (part["sha256"], part["bytes"])
    rest = {key: value for key, value in spec.items() if key != "hash"}
    assert hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest() == spec["hash"]


def test_tars_hold_no_trace_of_when_and_who(dataset):
    with tarfile.open(dataset / "train-000000.tar") as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "frido", "frido")
            assert member.name.count(".") == 1


def test_plain_webdataset_reads_the_shards(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import webdataset

        urls = [str(path) for path in sorted(dataset.glob("train-*.tar"))]
        samples = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False))
    shards = Shards.below(dataset, "train")
    assert len(samples) == 60
    for row, sample in enumerate(samples):
        assert Scene.from_json(json.loads(sample["json"]), sample["png"]) == shards.scene(row)
        assert sample["png"] == shards.scene(row).image


def test_plain_webdataset_decodes_what_we_decode(tmp_path, make_source, make_packing):
    source = make_source(train=4, val=0, test=0)
    for image_format in ("jpeg", "png", "webp"):
        out = tmp_path / image_format
        make_packing(image_format=image_format).write(source, out, quiet=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import webdataset

            data = webdataset.WebDataset([str(out / "train-000000.tar")], shardshuffle=False, empty_check=False)
            samples = list(data.decode("rgb8"))
        shards = Shards.below(out, "train")
        assert len(samples) == 4
        for row, sample in enumerate(samples):
            scene = shards.scene(row)
            assert Scene.from_json(sample["json"], scene.image) == scene
            pixels = np.asarray(Image.open(io.BytesIO(scene.image)))
            assert (sample["jpg" if image_format == "jpeg" else image_format] == pixels).all()


def test_the_bytes_are_webdatasets_own(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from webdataset import TarWriter

    shards, theirs = Shards.below(dataset, "train"), io.BytesIO()
    with TarWriter(theirs, user="frido", group="frido", mtime=0, encoder=False) as tar:
        for row in range(16):
            scene = shards.scene(row)
            annotation = json.dumps(scene.to_json(), sort_keys=True).encode()
            tar.write({"__key__": scene.id, "json": annotation, "png": scene.image})
    assert theirs.getvalue() == (dataset / "train-000000.tar").read_bytes()


def test_images_are_resized_once_and_keep_their_proportions(tmp_path, make_source, make_packing):
    make_packing(image_size=40).write(make_source(train=3, val=0, test=0, resolution=64), tmp_path / "out", quiet=True)
    scene = Shards.below(tmp_path / "out", "train").scene(0)
    assert (scene.width, scene.height) == (40, 40) and scene.image.startswith(b"\xff\xd8")
    assert Image.open(io.BytesIO(scene.image)).size == (40, 40)


def test_nothing_is_overwritten_unasked(tmp_path, dataset, make_source, make_packing):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("work of years")
    with pytest.raises(FridoError, match="not a dataset"):
        make_packing().write(make_source(), tmp_path / "thesis", overwrite=True, quiet=True)
    with pytest.raises(FridoError, match="overwrite=true"):
        make_packing().write(make_source(), dataset, quiet=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "work of years"


def test_a_place_that_cannot_be_written_is_refused(tmp_path, make_source, make_packing):
    (tmp_path / "file").write_text("")
    with pytest.raises(FridoError, match="out="):
        make_packing().write(make_source(), tmp_path / "file" / "out", quiet=True)


@pytest.mark.parametrize(
    "changes",
    [
        *({"scenes_per_shard": 0}, {"run": 0}, {"block": 0}, {"image_size": 0}, {"tokenizer_size": 9}),
        *({"processes": -1}, {"image_format": "gif"}, {"quality": 0}, {"quality": 101}, {"max_unreadable": -1}),
    ],
)
def test_impossible_settings_are_refused(make_packing, changes):
    with pytest.raises(FridoError, match=next(iter(changes))):
        make_packing(**changes)


def test_jpeg_noise_does_not_grow_on_a_kept_file(tmp_path, make_source, make_packing):
    """Files that are upright RGB already are stored byte for byte."""
    source = make_source(train=2, val=0, test=0)
    make_packing().write(source, tmp_path / "out", quiet=True)
    stored = {Shards.below(tmp_path / "out", "train").scene(row).image for row in range(2)}
    assert stored == {source.scene("train", row).image for row in range(2)}
    assert np.asarray(Image.open(io.BytesIO(stored.pop()))).shape == (32, 32, 3)
