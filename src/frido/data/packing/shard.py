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


class Job(NamedTuple):
    """One shard to write: its path and the source's indices in their order."""

    split: str
    path: Path
    scenes: list[int]


class Shared(NamedTuple):
    """What all shards are written from, and how; at most `max_unreadable` images are left out."""

    source: Source
    storing: Storing
    max_unreadable: int


def write(shared: Shared, job: Job, advance: Advance) -> dict[str, Any]:
    """Write one tar and its index to the disk.

    Returns:
        `entry` for `dataset.json`; `captions` of training scenes, for the tokenizer; and `unreadable`: of each image
        that was left out `split`, `index` in the source, `name` and `reason`.

    Raises:
        FridoError: More images than may be cannot be read; they are named.
    """
    captions: list[str] = []
    unreadable: list[dict[str, Any]] = []
    with closing(index.ShardWriter(job.path)) as shard:
        for number in job.scenes:
            try:
                scene = shared.source.scene(job.split, number)
                scene = encoding.packed(scene, storing=shared.storing, where=f"image of scene {scene.id}")
            except FridoError as error:
                unreadable.append(unreadable_image(job.split, number, error))
                check_unreadable(unreadable, shared.max_unreadable)
            else:
                annotation = json.dumps(scene.to_json(), sort_keys=True).encode()
                extension = encoding.suffix(scene.image)
                files = {"scene": annotation, "image": scene.image, "segmentation": scene.segmentation}
                shard.add(scene.id, extension=extension, **files)
                captions += scene.captions if job.split == "train" else ()
            advance(1)
    atomic.fsync(job.path)
    content = index.to_bytes(job.path, shard.samples)
    atomic.write_bytes(index.index_path(job.path), content)
    entry = {
        "name": job.path.name,
        "scenes": len(shard.samples),
        "bytes": job.path.stat().st_size,
        "sha256": sha256(job.path),
        "index_sha256": hashlib.sha256(content).hexdigest(),
    }
    return {"entry": entry, "captions": captions, "unreadable": unreadable}


def check_unreadable(found: list[dict[str, Any]], most: int) -> None:
    """Refuse more images than `most` that cannot be read."""
    if len(found) <= most:
        return
    lines = [f"{image['name']}: {image['reason']}" for image in found[:10]]
    more = [f"and {len(found) - 10} more"] if len(found) > 10 else []
    raise FridoError(
        "images to pack",
        got="\n    ".join([f"{len(found)} that cannot be read", *lines, *more]),
        wanted=f"at most {most} (max_unreadable)",
        do=f"mend them; or set max_unreadable={len(found)} or more, and they are left out and named in dataset.json",
    )


def unreadable_image(split: str, number: int, error: FridoError) -> dict[str, Any]:
    """Return what is told of the image `number` of a split, which cannot be read."""
    return {"split": split, "index": number, "name": error.what, "reason": str(error.got)}
