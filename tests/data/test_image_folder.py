from pathlib import Path

import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.data.shards import Shards
from frido.data.sources.image_folder import ImageFolder


def folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10), "red").save(root / name)
    return root


def read(root: Path, **changes) -> ImageFolder:
    return ImageFolder(**({"root": str(root), "names": None, "val_share": 0.0, "seed": 0, "filters": {}} | changes))


def classes(source: ImageFolder, split: str) -> dict[str, str]:
    scenes = (source.scene(split, index) for index in range(source.count(split)))
    return {scene.id: scene.objects[0].category for scene in scenes}


def test_splits_and_classes(tmp_path, make_packing):
    folder(tmp_path, "train/n02/b.jpg", "train/n01/a.1.PNG", "train/n01/c.webp", "validation/n03/d.jpeg")
    (tmp_path / "train/n01/notes.txt").write_text("")
    source = read(tmp_path)
    assert classes(source, "train") == {"train-n01-a_1": "n01", "train-n01-c": "n01", "train-n02-b": "n02"}
    assert classes(source, "val") == {"val-n03-d": "n03"} and source.count("test") == 0
    assert source.vocabulary.categories == ("n01", "n02", "n03")
    make_packing().write(source, tmp_path / "out", quiet=True)
    scene = Shards.below(tmp_path / "out", "val").scene(0)
    assert (scene.width, scene.height, scene.objects[0].box) == (20, 10, (0, 0, 1, 1))


def test_other_kinds_of_images_are_read_and_hidden_files_are_not(tmp_path, make_packing):
    folder(tmp_path, "train/cat/a.tiff", "train/cat/b.bmp", "train/dog/c.GIF", "train/.thumbnails/a.jpg")
    (tmp_path / "train/cat/._a.jpg").write_bytes(b"what a Mac leaves")
    (tmp_path / "train/.b.png").write_bytes(b"")
    source = read(tmp_path)
    assert list(classes(source, "train")) == ["train-cat-a", "train-cat-b", "train-dog-c"]
    spec = make_packing().write(source, tmp_path / "out", quiet=True)
    assert spec["unreadable"] == [] and spec["splits"]["train"]["scenes"] == 3
    assert Shards.below(tmp_path / "out", "train").scene(0).image.startswith(b"\xff\xd8")


def test_a_class_is_what_the_list_says(tmp_path):
    """In ImageNet's order, which is that of the folders; it has two classes "crane"."""
    folder(tmp_path, "n2/a.jpg", "n1/b.jpg", "n3/c.jpg")
    (tmp_path / "names.txt").write_text("n1 crane\nn2 tench, Tinca tinca\nn3 crane\nn4 unused\n")
    source = read(tmp_path, names=str(tmp_path / "names.txt"))
    assert source.vocabulary.categories == ("crane (n1)", "tench, Tinca tinca", "crane (n3)")
    assert classes(source, "train")["train-n2-a"] == "tench, Tinca tinca"
    (tmp_path / "names.txt").write_text("n1 crane\nn3 crane\n")
    with pytest.raises(FridoError, match="no line for n2"):
        read(tmp_path, names=str(tmp_path / "names.txt"))


def test_a_share_is_held_out_by_names_alone(tmp_path):
    folder(tmp_path, *(f"{name}/{number}.jpg" for name in "ab" for number in range(50)))
    held = classes(read(tmp_path, val_share=0.3), "val").keys()
    assert 15 <= len(held) <= 45 and read(tmp_path, val_share=0.3).count("train") == 100 - len(held)
    assert classes(read(tmp_path, val_share=0.3, seed=1), "val").keys() != held
    folder(tmp_path, "c/1.jpg")
    assert held <= classes(read(tmp_path, val_share=0.3), "val").keys()


def test_images_without_a_class(tmp_path):
    source = read(folder(tmp_path, "train/a.png", "val/b.png"))
    assert source.scene("train", 0).objects == () and source.scene("val", 0).id == "val-b"


def test_two_images_of_one_name_are_refused(tmp_path):
    with pytest.raises(FridoError, match=r"a_1\.jpg"):
        read(folder(tmp_path, "cat/a.1.jpg", "cat/a_1.jpg"))
    with pytest.raises(FridoError, match="no images"):
        (tmp_path / "none").mkdir()
        read(tmp_path / "none")
    with pytest.raises(FridoError, match="nowhere"):
        read(tmp_path / "nowhere")
