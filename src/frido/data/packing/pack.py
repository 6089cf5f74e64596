"""Raw scenes -> a packed dataset: WebDataset tars, an index beside each, `dataset.json`, a tokenizer. No torch.

The same source and settings give the same bytes. The folder appears whole, at the end; a command that was stopped
goes on where it was when it is given again.
"""

import hashlib
import json
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from frido.contracts import atomic, tokenizer
from frido.contracts.errors import FridoError
from frido.data.encoding import FORMATS, Storing
from frido.data.index import index_path
from frido.data.packing import processes, shard
from frido.data.packing.shard import Job, Shared
from frido.data.packing.unfinished import Unfinished, published, unfinished
from frido.data.shards import FORMAT, SPEC, TOKENIZER, read_spec
from frido.data.sources.annotated import MISSING
from frido.data.sources.base import SPLITS, Source
from frido.data.sources.image_node import WithImageNode

KINDS = ("images", "objects", "relationships")
"""What is counted at each step of the filters."""


class Packing:
    """How a source becomes shards.

    Args:
        scenes_per_shard: Samples in a tar; the last of a split holds the rest.
        image_size: Shorter side of stored images, pixels; larger ones are resized once (antialiased), smaller ones
            and `None` keep them as they are.
        image_format: "jpeg", "png" or "webp"; "keep" for whichever of these an image has, and JPEG where it has none
            or must change. Files that need no change are kept byte for byte.
        quality: Of JPEG and WebP files that are encoded here, 1 to 100.
        image_node: Whether every scene also has the image itself as an object, `__image__`, which every other object is
            `__in_image__`, as sg2im's graphs have.
        max_unreadable: Images that may be left out because they cannot be read; each is named in `dataset.json`. With
            more of them the rest is packed and kept before they are refused, so that all are named at once.
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
        image_format: str,
        quality: int,
        image_node: bool,
        max_unreadable: int,
        seed: int,
        run: int,
        block: int,
        tokenizer_size: int,
        processes: int,
    ) -> None:
        least = {
            "scenes_per_shard": (scenes_per_shard, 1),
            "quality": (quality, 1),
            "max_unreadable": (max_unreadable, 0),
            "run": (run, 1),
            "block": (block, 1),
            "tokenizer_size": (tokenizer_size, 259),  # the bytes, and the special tokens
            "processes": (processes, 0),
        }
        for name, (value, smallest) in least.items():
            if value < smallest:
                raise FridoError(f"{name} of packing", got=value, wanted=f"{smallest} or more", do=f"raise {name}")
        if quality > 100:
            raise FridoError("quality of packing", got=quality, wanted="1 to 100", do="set 95")
        if image_size is not None and image_size < 1:
            raise FridoError(
                "image_size of packing", got=image_size, wanted="pixels, or null", do="set 256, or null to keep"
            )
        if image_format not in FORMATS:
            wanted = f"one of {', '.join(FORMATS)}"
            raise FridoError("image_format of packing", got=image_format, wanted=wanted, do="set keep")
        self.scenes_per_shard = scenes_per_shard
        self.storing = Storing(image_size, image_format, quality)
        self.image_node = image_node
        self.max_unreadable = max_unreadable
        self.seed = seed
        self.run = run
        self.block = block
        self.tokenizer_size = tokenizer_size
        self.processes = processes or len(os.sched_getaffinity(0))

    def settings(self, source: Source) -> dict[str, Any]:
        """Return what decides the bytes of the dataset: two equal ones need not be packed twice."""
        names = ("scenes_per_shard", "image_node", "seed", "tokenizer_size")
        packing = {name: getattr(self, name) for name in names} | self.storing._asdict()
        return {"source": source.settings(), "packing": packing, "order": {"run": self.run, "block": self.block}}

    def write(self, source: Source, out: Path, *, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
        """Write `source` to the folder `out` and return the content of its `dataset.json`.

        Shards that an earlier, stopped command with the same settings has finished are not written again, but for
        those that lack an unreadable image.

        Raises:
            FridoError: `out` holds something already (a dataset: unless `overwrite`), cannot be written, or another
                command writes it; or the source has no scenes, or too many unreadable ones.
        """
        out = out.resolve()  # so that "." has a name
        source = WithImageNode(source) if self.image_node else source
        say = _silent if quiet else _say
        _check_any(source)
        settings = json.loads(json.dumps(self._fingerprint(source)))
        try:
            if published(out, settings):
                with unfinished(out):
                    return read_spec(out)
            _check_room(out, overwrite)
            with unfinished(out) as work:
                work.begin(settings, say)
                spec = self._fill(source, work, quiet=quiet)
                work.publish()
        except OSError as error:
            raise FridoError(
                f"out={out}",
                got=error.strerror or error,
                wanted="a folder that can be written, with room for the dataset",
                do="make room, or choose another; the same command goes on with the shards that are finished",
            ) from error
        return spec

    def _fingerprint(self, source: Source) -> dict[str, Any]:
        """Return what an unfinished pack must have in common with this one, to be gone on with."""
        counts = {split: source.count(split) for split in SPLITS}
        told = {"counts": counts, "vocabulary": source.vocabulary.to_json(), "filters": source.filters()}
        return {"format": FORMAT, "pillow": PIL.__version__, **self.settings(source), **told}

    def _fill(self, source: Source, work: Unfinished, *, quiet: bool) -> dict[str, Any]:
        """Write everything into the folder of an unfinished dataset; return the content of `dataset.json`."""
        jobs = list(self._jobs(source, work.dataset))
        written = self._write_shards(source, jobs, work, quiet=quiet)
        unreadable = [image for job in jobs for image in written[job.path.stem]["unreadable"]]
        shard.check_unreadable(unreadable, self.max_unreadable)
        shards: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
        for job in jobs:
            entry = written[job.path.stem]["entry"]
            if entry["scenes"]:
                shards[job.split].append(entry)
            else:  # no image of it could be read
                job.path.unlink(missing_ok=True)
                index_path(job.path).unlink(missing_ok=True)
        if not any(shards.values()):
            raise FridoError("source", got="no image that can be read", wanted="at least one", do="fetch them again")
        captions = [caption for job in jobs for caption in written[job.path.stem]["captions"]]
        digest = self._write_tokenizer(captions, work.dataset / TOKENIZER) if captions else None
        filters = {
            split: _rows(steps, [written[job.path.stem]["stored"] for job in jobs if job.split == split])
            for split, steps in source.filters().items()
        }
        spec = self._spec(source, shards, filters=filters, tokenizer=digest, unreadable=unreadable)
        atomic.write_json(work.dataset / SPEC, spec)
        return spec

    def _jobs(self, source: Source, folder: Path) -> Iterator[Job]:
        for split in SPLITS:
            # Neighbours in the raw data are alike; runs of the written order should not be.
            key = [self.seed & (2**64 - 1), zlib.crc32(split.encode())]
            order = np.random.Generator(np.random.Philox(key=key)).permutation(source.count(split)).tolist()
            for number, first in enumerate(range(0, len(order), self.scenes_per_shard)):
                yield Job(split, folder / f"{split}-{number:06d}.tar", order[first : first + self.scenes_per_shard])

    def _write_shards(
        self, source: Source, jobs: list[Job], work: Unfinished, *, quiet: bool
    ) -> dict[str, dict[str, Any]]:
        """Write the shards that are not finished; return the records of all."""
        written = work.records()
        rest = [job for job in jobs if job.path.stem not in written]
        total, left = (sum(len(job.scenes) for job in some) for some in (jobs, rest))
        shared = Shared(source, self.storing)
        with processes.bar("packing", total, unit="scenes", done=total - left, quiet=quiet) as advance:
            for number, record in processes.results(
                shard.write, shared, rest, processes=self.processes, advance=advance, presence=work.presence
            ):
                name = rest[number].path.stem
                written[name] = record
                if not record["unreadable"]:  # else it is written again: the image may be mended by then
                    work.record(name, record)
        return written

    def _write_tokenizer(self, captions: list[str], path: Path) -> str:
        """Write the tokenizer of some captions; return the hash of the file."""
        content = tokenizer.train(captions, self.tokenizer_size).encode()
        path.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def _spec(
        self,
        source: Source,
        shards: dict[str, list[dict[str, Any]]],
        *,
        filters: dict[str, list[dict[str, Any]]],
        tokenizer: str | None,
        unreadable: list[dict[str, Any]],
    ) -> dict[str, Any]:
        splits = {
            split: {"scenes": sum(entry["scenes"] for entry in entries), "shards": entries}
            for split, entries in shards.items()
            if entries
        }
        spec = {
            **self.settings(source),
            "licence": source.licence,
            "origin": source.origin,
            "images": self.storing.described(),
            "splits": splits,
            "vocabulary": source.vocabulary.to_json(),
            "tokenizer": tokenizer,
            "filters": filters,
            "unreadable": unreadable,
        }
        return finished(spec)


def finished(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a `dataset.json` with its format, what it is evaluated on, and the hash of all that."""
    held_out = spec["splits"].keys() - {"train"}
    note = None if held_out else "no val or test images: evaluated on train"
    spec = {"format": FORMAT, **spec, "evaluation": note}
    return spec | {"hash": digest(spec)}


def digest(spec: dict[str, Any]) -> str:
    """Return the hash of all of a `dataset.json` but the hash itself."""
    rest = {name: value for name, value in spec.items() if name != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _rows(steps: dict[str, dict[str, int]], stored: list[dict[str, int]]) -> list[dict[str, Any]]:
    """Return what the steps of filters counted, and at last what the shards hold: after the filters relationships may
    be drawn, and images turn out unreadable. A list, since JSON with sorted keys would lose the order.
    """
    whole = {kind: sum(counts[kind] for counts in stored) for kind in KINDS}
    return [{"step": step, **counts} for step, counts in {**steps, "stored": whole}.items()]


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
    """Refuse a source without scenes: say where they went."""
    if any(source.count(split) for split in SPLITS):
        return
    lost: Counter[str] = Counter()
    for steps in source.filters().values():
        lost.update({step: counts["images"] for step, counts in steps.items()})
    read, dropped = lost.pop("read", 0), [step for step, images in lost.items() if images]
    if not read:
        got = f"no files of {', '.join(SPLITS)} found"
        raise FridoError("source", got=got, wanted="images of at least one of them", do="check source.root")
    last = dropped[-1]
    do = f"lower what source.filters.{last} asks for, or leave it out: ~source.filters.{last}"
    rare = [f"source.filters.{step}.least=1" for step in lost if step.startswith("frequent_")]
    if rare:
        do += f"; for a small sample, whose words are all rare, {' '.join(rare)}"
    raise FridoError(
        "source",
        got=f"no scene is left of {read:,}: {', '.join(f'{lost[step]:,} dropped by {step}' for step in dropped)}",
        wanted="scenes that pass the filters",
        do="put the images below source.root, where the dataset has them" if last == MISSING else do,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _silent(line: str) -> None:
    pass
