"""Raw scenes -> a packed dataset: WebDataset tars, an index beside each, `dataset.json`, a tokenizer. No torch.

The same source and settings give the same bytes. The folder appears whole, at the end.
"""

import hashlib
import json
import multiprocessing
import os
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from frido.contracts import atomic, tokenizer
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.data import images, index
from frido.data.shards import FORMAT, SPEC, TOKENIZER
from frido.data.sources.base import SPLITS, Source


class Job(NamedTuple):
    """One shard to write: its path and the source's indices in their order."""

    split: str
    path: Path
    scenes: list[int]


class Written(NamedTuple):
    """A shard that was written: its entry for `dataset.json`, and the captions in it."""

    entry: dict[str, Any]
    captions: list[str]


class Packing:
    """How a source becomes shards.

    Args:
        scenes_per_shard: Samples in a tar; the last of a split holds the rest.
        image_size: Shorter side of stored images, pixels; larger ones are resized once (antialiased), smaller ones
            and `None` keep them as they are.
        seed: Of the order in which samples are written.
        run: Samples that readers keep together (c of the order), stored in `dataset.json`.
        block: Shards whose runs readers mix (K of the order), stored in `dataset.json`.
        tokenizer_size: Most tokens of the tokenizer that is trained on the captions of training scenes, if there are
            any, and stored as `tokenizer.json`.
        processes: That render and write; 0 for all cores. Changes nothing but the time taken.
    """

    def __init__(
        self,
        *,
        scenes_per_shard: int,
        image_size: int | None,
        seed: int,
        run: int,
        block: int,
        tokenizer_size: int,
        processes: int,
    ) -> None:
        least = {
            "scenes_per_shard": (scenes_per_shard, 1),
            "run": (run, 1),
            "block": (block, 1),
            "tokenizer_size": (tokenizer_size, 259),  # the bytes, and the special tokens
            "processes": (processes, 0),
        }
        for name, (value, smallest) in least.items():
            if value < smallest:
                raise FridoError(f"{name} of packing", got=value, wanted=f"{smallest} or more", do=f"raise {name}")
        if image_size is not None and image_size < 1:
            raise FridoError(
                "image_size of packing", got=image_size, wanted="pixels, or null", do="set 256, or null to keep"
            )
        self.scenes_per_shard = scenes_per_shard
        self.image_size = image_size
        self.seed = seed
        self.run = run
        self.block = block
        self.tokenizer_size = tokenizer_size
        self.processes = processes or len(os.sched_getaffinity(0))

    def settings(self, source: Source) -> dict[str, Any]:
        """Return what decides the bytes of the dataset: two equal ones need not be packed twice."""
        names = ("scenes_per_shard", "image_size", "seed", "tokenizer_size")
        packing = {name: getattr(self, name) for name in names}
        return {"source": source.settings(), "packing": packing, "order": {"run": self.run, "block": self.block}}

    def write(self, source: Source, out: Path, *, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
        """Write `source` to the folder `out` and return the content of its `dataset.json`.

        Raises:
            FridoError: `out` holds something already (a dataset: unless `overwrite`), cannot be written, or the
                source has no training scenes or an unreadable one.
        """
        _check_room(out, overwrite)
        _check_any(source)
        try:
            with atomic.new_folder(out) as partial:
                written = self._write_shards(source, partial, quiet=quiet)
                captions = [caption for shard in written["train"] for caption in shard.captions]
                digest = self._write_tokenizer(captions, partial / TOKENIZER) if captions else None
                spec = self._spec(source, written, tokenizer=digest)
                atomic.write_json(partial / SPEC, spec)
        except BrokenProcessPool as error:
            raise FridoError(
                "packing",
                got="a packing process ended before its work was done",
                wanted="processes that live: memory, and a program that can be imported",
                do="set processes of packing to 1 (or put the call under `if __name__ == '__main__':`)",
            ) from error
        except OSError as error:
            raise FridoError(
                f"out={out}", got=error.strerror or error, wanted="a folder that can be written", do="choose another"
            ) from error
        return spec

    def _jobs(self, source: Source, folder: Path) -> Iterator[Job]:
        for split in SPLITS:
            # Neighbours in the raw data are alike; runs of the written order should not be.
            key = [self.seed & (2**64 - 1), zlib.crc32(split.encode())]
            order = np.random.Generator(np.random.Philox(key=key)).permutation(source.count(split)).tolist()
            for number, first in enumerate(range(0, len(order), self.scenes_per_shard)):
                yield Job(split, folder / f"{split}-{number:06d}.tar", order[first : first + self.scenes_per_shard])

    def _write_shards(self, source: Source, folder: Path, *, quiet: bool) -> dict[str, list[Written]]:
        jobs = list(self._jobs(source, folder))
        shards: dict[str, list[Written]] = {split: [] for split in SPLITS}
        with _progress(sum(len(job.scenes) for job in jobs), quiet) as advance:
            for job, written in zip(jobs, self._run(source, jobs, advance), strict=True):
                shards[job.split].append(written)
        return {split: found for split, found in shards.items() if found}

    def _write_tokenizer(self, captions: list[str], path: Path) -> str:
        """Write the tokenizer of some captions; return the hash of the file."""
        content = tokenizer.train(captions, self.tokenizer_size).encode()
        path.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def _run(self, source: Source, jobs: list[Job], advance: Any) -> list[Written]:
        if min(self.processes, len(jobs)) == 1:
            _start(source, self.image_size)
            return [_write_shard(job, advance) for job in jobs]
        # spawn: a fork of a process that already runs torch's threads may hang
        context = multiprocessing.get_context("spawn")
        done = context.Value("q", 0)
        arguments = (source, self.image_size, done)
        with ProcessPoolExecutor(
            min(self.processes, len(jobs)), mp_context=context, initializer=_start, initargs=arguments
        ) as pool:
            futures = [pool.submit(_write_shard, job) for job in jobs]
            waiting: set[Future[Written]] = set(futures)
            shown = 0
            try:
                while waiting:
                    finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                    shown, before = done.value, shown
                    advance(shown - before)
                    for future in finished:
                        future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            advance(done.value - shown)
            return [future.result() for future in futures]

    def _spec(self, source: Source, written: dict[str, list[Written]], *, tokenizer: str | None) -> dict[str, Any]:
        splits = {
            split: {"scenes": sum(shard.entry["scenes"] for shard in shards), "shards": [s.entry for s in shards]}
            for split, shards in written.items()
        }
        spec = {
            "format": FORMAT,
            **self.settings(source),
            "splits": splits,
            "vocabulary": source.vocabulary.to_json(),
            "tokenizer": tokenizer,
            "filters": source.filters(),
            "evaluation": None if len(splits) > 1 else "no val or test images: evaluated on train",
        }
        return spec | {"hash": hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()}


def _check_room(out: Path, overwrite: bool) -> None:
    if not out.exists():
        return
    if (out / SPEC).is_file():
        if not overwrite:
            raise FridoError(f"out={out}", got="a packed dataset", wanted="a new folder", do="add overwrite=true")
    elif not out.is_dir() or any(out.iterdir()):
        raise FridoError(
            f"out={out}", got="something that is not a dataset", wanted="a new folder", do="choose another"
        )


def _check_any(source: Source) -> None:
    if source.count("train") == 0:
        raise FridoError(
            "source",
            got=f"no training scene is left: {json.dumps(source.filters())}",
            wanted="scenes that pass the filters",
            do="lower the thresholds that drop it; for a small sample source.min_object_instances=1 "
            "source.min_attribute_instances=1 source.min_relationship_instances=1",
        )


_worker: dict[str, Any] = {}


def _start(source: Source, image_size: int | None, done: Any = None) -> None:
    """Keep what a packing process needs for every shard."""
    _worker.update(source=source, image_size=image_size, done=done)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Any) -> None:
    """End with the parent, however it ended: an orphan would go on writing where the next attempt cleans up."""
    parent.join()
    os._exit(1)


def _write_shard(job: Job, advance: Any = None) -> Written:
    """Write one tar and its index. Runs in a packing process."""
    source, done = _worker["source"], _worker["done"]
    captions: list[str] = []
    with closing(index.ShardWriter(job.path)) as shard:
        for number in job.scenes:
            scene = source.scene(job.split, number)
            scene = images.packed(scene, image_size=_worker["image_size"], where=f"image of scene {scene.id}")
            annotation = json.dumps(scene.to_json(), sort_keys=True).encode()
            captions += scene.captions
            extension = images.suffix(scene.image)
            shard.add(
                scene.id, scene=annotation, image=scene.image, extension=extension, segmentation=scene.segmentation
            )
            if advance is not None:
                advance(1)
            else:
                with done.get_lock():
                    done.value += 1
    content = index.to_bytes(job.path, shard.samples)
    index.index_path(job.path).write_bytes(content)
    entry = {
        "name": job.path.name,
        "scenes": len(job.scenes),
        "bytes": job.path.stat().st_size,
        "sha256": sha256(job.path),
        "index_sha256": hashlib.sha256(content).hexdigest(),
    }
    return Written(entry, captions)


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Any]:
    columns = (TextColumn("packing"), BarColumn(), MofNCompleteColumn(), TextColumn("scenes"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("packing", total=total)
        yield lambda count: progress.advance(task, count)
