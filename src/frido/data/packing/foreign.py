"""Tars in WebDataset's form that others wrote: their samples, and the scenes that these stand for. No torch.

Members of one name up to the first dot are one sample, as WebDataset has it. Its image is the file whose extension is
or ends in `jpg`, `jpeg`, `png` or `webp`. What is known of the image: `json`, if it is a scene of ours (then no other
file counts); else the class in `cls` or `cls.txt`, which is one object over the whole image, and the caption in `txt`,
`caption`, or below `caption` of the `json`.
"""

import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.geometry import WHOLE
from frido.contracts.scene import Object, Scene
from frido.data.images import opened
from frido.data.index import SEGMENTATION, Member
from frido.data.upright import upright_size

FOREIGN = "webdataset"
"""Name of the source in the `dataset.json` of such tars."""

IMAGES = ("jpg", "jpeg", "png", "webp")
CLASSES, CAPTIONS = ("cls", "cls.txt"), ("txt", "caption")


def samples(tar: Path) -> Iterator[tuple[str, dict[str, Member]]]:
    """Yield the samples of a tar in their order: the key, and the files by extension in lower case.

    Raises:
        FridoError: It is no plain tar, is cut short, or holds a name, a link or a double that is refused.
    """
    key, files, seen = "", dict[str, Member](), set[str]()
    for info, content in _members(tar):
        match = re.fullmatch(r"((?:.*/|)[^./]+)\.([^/]*)", info.name)
        if match is None or Path(match[1]).name.startswith("__"):
            continue  # WebDataset passes over them, too
        if match[1] != key:
            if files:
                yield key, files
            key, files = match[1], {}
            if key in seen:
                raise _refused(tar, f"{info.name}: key {key} twice, apart from each other")
            seen.add(key)
        extension = match[2].lower()
        if extension in files:
            raise _refused(tar, f"{info.name} twice")
        files[extension] = Member(match[2], info.offset_data, info.size, zlib.crc32(content))
    if files:
        yield key, files


def scene_of(key: str, files: Mapping[str, bytes]) -> Scene:
    """Return the scene of a sample from its files by extension.

    Its id is the key, without dots and slashes; its size is that of the upright image.

    Raises:
        FridoError: It has no image, or several, or one that cannot be read; or its annotation is malformed.
    """
    image = files[image_of(key, files)]
    with opened(io.BytesIO(image), f"image of sample {key}") as file:
        width, height = upright_size(file)
    told = _json(key, files)
    identity = re.sub(r"[./]", "_", str(PurePosixPath(key)))
    segmentation = files.get(SEGMENTATION, b"")
    if isinstance(told, dict) and "objects" in told:
        try:
            told = {"relationships": [], "captions": [], **told, "id": identity, "width": width, "height": height}
            told["objects"] = [_object(item) for item in told["objects"]]
            return Scene.from_json(told, image, segmentation)
        except (KeyError, TypeError, ValueError) as error:
            got = f"{type(error).__name__}: {error}"
            raise FridoError(
                f"sample {key}: its json", got=got, wanted="a scene as frido.pack writes it", do="mend it"
            ) from None
    captions = [_text(key, name, files[name]) for name in CAPTIONS if name in files]
    if isinstance(told, dict) and isinstance(told.get("caption"), str):
        captions.append(told["caption"])
    words = [_text(key, name, files[name]) for name in CLASSES if name in files]
    objects = tuple(Object(word, WHOLE) for word in words[:1])
    return Scene(identity, objects, (), tuple(captions), image, width, height, segmentation)


def image_of(key: str, files: Mapping[str, Any]) -> str:
    """Return the extension of a sample's image.

    Raises:
        FridoError: There is none, or more than one.
    """
    found = [name for name in files if name.rpartition(".")[2] in IMAGES and name != SEGMENTATION]
    if len(found) != 1:
        raise FridoError(
            f"sample {key}",
            got=f"files {', '.join(files)}",
            wanted=f"one image among them ({', '.join(IMAGES)})",
            do="write it again with one image; or format.max_unreadable=N leaves out as many",
        )
    return found[0]


def refusal(info: tarfile.TarInfo) -> str:
    """Return why a member of a tar is not to be trusted; empty if it is."""
    parts = PurePosixPath(info.name).parts
    if info.name.startswith("/") or ".." in parts:
        return f"{info.name}: a name that leads out of the archive"
    if info.issparse() or not (info.isreg() or info.isdir()):
        return f"{info.name}: a link, a device or a sparse file"
    return ""


def _members(tar: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    try:
        with tarfile.open(tar, "r:") as file:
            for info in file:
                reason = refusal(info)
                if reason:
                    raise _refused(tar, reason)
                if info.isreg():
                    member = file.extractfile(info)
                    assert member is not None
                    content = member.read()
                    if len(content) != info.size:
                        raise _refused(tar, f"{info.name}: the tar ends after {len(content)} of {info.size} bytes")
                    yield info, content
            with tar.open("rb") as raw:  # tarfile takes a tar that is cut before or in a head for a whole one
                raw.seek(file.offset)
                if raw.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise _refused(tar, "no mark of the end: the rest is missing")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _refused(tar, f"{error}") from None


def _refused(tar: Path, got: str) -> FridoError:
    wanted = "a whole, uncompressed tar of plain files with relative names, each once"
    return FridoError(
        f"shard {tar}", got=got, wanted=wanted, do="write it again, for example with webdataset.ShardWriter"
    )


def _object(item: dict[str, Any]) -> dict[str, Any]:
    left, top, right, bottom = map(float, item["box"])
    return {"attributes": [], "visible": 1.0, **item, "box": [left, top, right, bottom]}


def _json(key: str, files: Mapping[str, bytes]) -> Any:
    try:
        return json.loads(files["json"]) if "json" in files else None
    except ValueError as error:
        raise FridoError(f"sample {key}: its json", got=error, wanted="JSON", do="mend it") from None


def _text(key: str, name: str, content: bytes) -> str:
    try:
        return content.decode().strip()
    except UnicodeDecodeError as error:
        raise FridoError(f"sample {key}: its {name}", got=error, wanted="UTF-8", do="mend it") from None
