"""One shard, written by a packing process. No torch."""

import hashlib
import json
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from frido.contracts import atomic
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.data import encoding, index
from frido.data.encoding import Storing
from frido.data.packing.processes import Advance
from frido.data.sources.base import Source

NAMED = 100
"""Most images that are listed when too many cannot be read."""


class Job(NamedTuple):
    """One shard to write: its path and the source's indices in their order."""

    split: str
    path: Path
    scenes: list[int]


class Shared(NamedTuple):
    """What all shards are written from, and how."""

    source: Source
    storing: Storing


def write(shared: Shared, job: Job, advance: Advance) -> dict[str, Any]:
    """Write one tar and its index to the disk.

    Returns:
        `entry` for `dataset.json`; `captions` of training scenes, for the tokenizer; `stored`, the numbers of images,
        objects and relationships; and `unreadable`: of each image that was left out `split`, `index` in the source,
        `name` and `reason`.
    """
    captions: list[str] = []
    unreadable: list[dict[str, Any]] = []
    stored = dict.fromkeys(("images", "objects", "relationships"), 0)
    with closing(index.ShardWriter(job.path)) as shard:
        for number in job.scenes:
            file = shared.source.file(job.split, number)
            try:
                scene = shared.source.scene(job.split, number)
                scene = encoding.packed(scene, storing=shared.storing, where=file or f"image of scene {scene.id}")
            except FridoError as error:
                reason = str(error.got) if error.what == file or not file else f"{error.what}: {error.got}"
                unreadable.append(unreadable_image(job.split, number, file or error.what, reason))
            else:
                annotation = json.dumps(scene.to_json(), sort_keys=True).encode()
                extension = encoding.suffix(scene.image)
                files = {"scene": annotation, "image": scene.image, "segmentation": scene.segmentation}
                shard.add(scene.id, extension=extension, **files)
                captions += scene.captions if job.split == "train" else ()
                stored["images"] += 1
                stored["objects"] += len(scene.objects)
                stored["relationships"] += len(scene.relationships)
            advance(1)
    atomic.fsync(job.path)
    entry = indexed(job.path, shard.samples)
    return {"entry": entry, "captions": captions, "stored": stored, "unreadable": unreadable}


def indexed(tar: Path, samples: list[index.Sample]) -> dict[str, Any]:
    """Write the index of a tar beside it; return its entry for `dataset.json`."""
    digest = sha256(tar)
    content = index.to_bytes(tar, samples, digest)
    atomic.write_bytes(index.index_path(tar), content)
    return {
        "name": tar.name,
        "scenes": len(samples),
        "bytes": tar.stat().st_size,
        "sha256": digest,
        "index_sha256": hashlib.sha256(content).hexdigest(),
    }


def check_unreadable(found: list[dict[str, Any]], most: int) -> None:
    """Refuse more images than `most` that cannot be read."""
    if len(found) <= most:
        return
    lines = [f"{image['name']}: {image['reason']}" for image in found[:NAMED]]
    more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
    raise FridoError(
        "images to pack",
        got="\n    ".join([f"{len(found)} that cannot be read", *lines, *more]),
        wanted=f"at most {most} (format.max_unreadable)",
        do=f"mend them; or add format.max_unreadable={len(found)}, and they are left out and named in dataset.json",
    )


def unreadable_image(split: str, number: int, name: str, reason: str) -> dict[str, Any]:
    """Return what is told of the image `number` of a split, which cannot be read."""
    return {"split": split, "index": number, "name": name, "reason": reason}
