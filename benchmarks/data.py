"""The loader beside webdataset and a folder of files; what an index costs; how soon a resumed run goes on; memory.

    python benchmarks/data.py make /tmp/frido-data                       # 100,000 samples of 256 px, about 3 GB
    python benchmarks/data.py speed /tmp/frido-data
    python benchmarks/data.py resume /tmp/frido-data
    python benchmarks/data.py memory /tmp/frido-data

Every arm reads the same JPEG bytes from a warm page cache, shuffled, and gives batches of 32 float images in [-1, 1].
Ours also gives boxes, categories and relations as tensors; webdataset and the folder parse the JSON and give it on as
text. Arms take turns, all with the same thresholds of the allocator. On a machine with other work the ratios mean
little.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from frido.contracts.scene import Scene, Vocabulary
from frido.data.packing.pack import Packing
from frido.data.sources.base import Source

SAMPLES, IMAGES, BATCH, RESOLUTION, SECONDS = 100_000, 1_000, 32, 256, 10.0


ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}


class Repeated(Source):
    """A few scenes, again and again under other ids.

    Args:
        scenes: With images.
        vocabulary: Their words.
        count: Of training scenes.
    """

    licence, origin = "made up", "benchmarks/data.py"

    def __init__(self, *, scenes: list[Scene], vocabulary: Vocabulary, count: int) -> None:
        self.scenes, self._vocabulary, self.total = scenes, vocabulary, count

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    def count(self, split: str) -> int:
        return self.total if split == "train" else 0

    def scene(self, split: str, index: int) -> Scene:
        return replace(self.scenes[index % len(self.scenes)], id=f"{index:06d}")

    def settings(self) -> dict[str, Any]:
        return {"name": "repeated", "count": self.total}


def make(root: Path, count: int) -> None:
    """Write the shards, the same samples as files, and the time that the indexes take."""
    from PIL import Image

    from frido.data.sources.scenes import Scenes

    settings: dict[str, Any] = {"min_objects": 3, "max_objects": 8, "min_size": 0.2, "max_size": 0.5}
    world = Scenes(resolution=256, min_visible=0.5, seed=0, **settings)
    random, found = np.random.default_rng(0), []
    for index in range(IMAGES):
        scene = world.scene("train", index)
        pixels = np.asarray(Image.open(io.BytesIO(scene.image))) + random.normal(0, 6, (256, 256, 3))
        file = io.BytesIO()  # noise makes the files as large as photographs of this size
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
        found.append(replace(scene, image=file.getvalue()))
    start = time.perf_counter()
    _packing().write(Repeated(scenes=found, vocabulary=world.vocabulary, count=count), root / "shards")
    print(f"packed {count:,} samples in {time.perf_counter() - start:.1f} s")
    folder = root / "files"
    folder.mkdir()
    for index in range(min(count, 20_000)):
        scene = found[index % len(found)]
        (folder / f"{index:06d}.jpg").write_bytes(scene.image)
        (folder / f"{index:06d}.json").write_text(json.dumps(scene.to_json()))


def _packing() -> Packing:
    return Packing(
        scenes_per_shard=1000,
        image_size=None,
        image_format="keep",
        quality=95,
        image_node=False,
        max_unreadable=0,
        seed=0,
        run=16,
        block=8,
        tokenizer_size=8192,
        processes=0,
    )


def ours(root: Path, workers: int) -> Iterator[int]:
    """Yield the size of every batch of the loader."""
    loader = _loader(root, workers)
    for start in range(0, 10**9, BATCH):
        yield loader.at(start).size


def _loader(root: Path, workers: int) -> Any:
    from frido.data.framing.centre import Centre
    from frido.data.framing.of_crop import OfCrop
    from frido.data.reading import Reading
    from frido.data.shards import Shards

    limits = {"max_objects": 8, "max_relationships": 16, "max_attributes": 3, "max_caption": 512}
    framing = {"crop": Centre(), "held_out_crop": Centre(), "flip": 0.0, "coordinates": OfCrop()}
    reading = Reading(resolution=RESOLUTION, workers=workers, cache_mb=0, **limits, **framing)
    rows = Shards.below(root / "shards", "train")
    return reading.stream(rows, order=rows.order(seed=0), batch=BATCH, rank=0, world_size=1)


def webdatasets(root: Path, workers: int) -> Iterator[int]:
    """Yield the size of every batch of webdataset: shards and samples shuffled, decoded by Pillow in its workers."""
    import webdataset

    urls = sorted(map(str, (root / "shards").glob("*.tar")))
    samples = webdataset.WebDataset(urls, shardshuffle=len(urls), seed=0).shuffle(1000).decode("rgb8")
    prepared = samples.to_tuple("jpg", "json").map_tuple(_channels_first, json.dumps)
    loader = webdataset.WebLoader(prepared.batched(BATCH), batch_size=None, num_workers=workers)
    while True:
        for images, _ in loader:
            yield len(_to_float(images))


def folder(root: Path, workers: int) -> Iterator[int]:
    """Yield the size of every batch of a map-style dataset over a folder of files."""
    from torch.utils.data import DataLoader

    loader = DataLoader(Files(root / "files"), batch_size=BATCH, shuffle=True, num_workers=workers, drop_last=True)
    while True:
        for images, _ in loader:
            yield len(_to_float(images))


class Files:
    """Images and JSON in a folder."""

    def __init__(self, root: Path) -> None:
        self.paths = sorted(root.glob("*.jpg"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, str]:
        from PIL import Image

        with Image.open(self.paths[index]) as image:
            pixels = np.asarray(image.convert("RGB"))
        return _channels_first(pixels), json.dumps(json.loads(self.paths[index].with_suffix(".json").read_text()))


def _channels_first(pixels: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def _to_float(images: Any) -> Any:
    import torch

    images = torch.as_tensor(np.asarray(images))
    return images.float().div_(127.5).sub_(1.0)


ARMS: dict[str, Callable[[Path, int], Iterator[int]]] = {"ours": ours, "webdataset": webdatasets, "folder": folder}


def rate(root: Path, arm: str, workers: int) -> float:
    """Return samples per second of an arm, after its first batches."""
    batches = ARMS[arm](root, workers)
    for _ in range(40):  # also fills webdataset's buffer
        next(batches)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        count += next(batches)
    return count / (time.perf_counter() - start)


def speed(root: Path, rounds: int) -> None:
    """Print samples per second, each measured in a process of its own, arms in turn."""
    for path in [*(root / "shards").iterdir(), *(root / "files").iterdir()]:
        path.read_bytes()
    found: dict[tuple[int, str], list[float]] = {(w, arm): [] for w in (1, 2) for arm in ARMS}
    for _ in range(rounds):
        for workers, arm in found:
            command = [sys.executable, __file__, "rate", str(root), "--arm", arm, "--workers", str(workers)]
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | ALLOCATOR)
            found[workers, arm].append(float(run.stdout))
    print("| workers | arm | samples/s (median of rounds) | ours / it, by round |\n|---|---|---|---|")
    for workers, arm in found:
        ratios = [a / b for a, b in zip(found[workers, "ours"], found[workers, arm], strict=True)]
        told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {workers} | {arm} | {statistics.median(found[workers, arm]):.0f} | {told} |")


def resume(root: Path) -> None:
    """Print the time to the first batch at several positions of an epoch, in new processes; and what indexes take."""
    from frido.data import index
    from frido.data.packing import indexing

    print("| share of the epoch | time to the first batch, s (median of 5; imports not counted) |\n|---|---|")
    for share in (0.0, 0.1, 0.5, 0.9):
        command = [sys.executable, __file__, "first", str(root), "--share", str(share)]
        seconds = [float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(5)]
        print(f"| {share:.0%} | {statistics.median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f}) |")
    tars = sorted((root / "shards").glob("*.tar"))
    size = sum(index.index_path(tar).stat().st_size for tar in tars)
    told = json.loads((root / "shards" / "dataset.json").read_text())
    print(f"\nindexes: {size / 1e6:.1f} MB for {told['splits']['train']['scenes']:,} samples")
    with tempfile.TemporaryDirectory(dir=root) as other:
        for tar in tars:
            os.link(tar, Path(other) / tar.name)
        start = time.perf_counter()
        indexing.write(_packing(), Path(other), quiet=True)
        print(f"made for the same tars, as those of another program, in {time.perf_counter() - start:.1f} s")


def first(root: Path, share: float) -> float:
    """Return the seconds from nothing but imports to the first batch."""
    _loader(root, 0)
    start = time.perf_counter()
    position = int(SAMPLES * share) // BATCH * BATCH
    _loader(root, 2).at(position)
    return time.perf_counter() - start


def memory(root: Path, samples: int) -> None:
    """Print the resident memory of a process while its loader reads many samples."""
    batches, page = ours(root, 2), os.sysconf("SC_PAGE_SIZE")
    print("| samples read | resident, MB |\n|---|---|")
    count, shown = 0, 0
    while count < samples:
        count += next(batches)
        if count >= shown:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * page / 1e6
            print(f"| {count:,} | {resident:.0f} |", flush=True)
            shown += samples // 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "speed", "resume", "memory", "rate", "first"))
    parser.add_argument("root", type=Path)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arm", choices=ARMS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.0)
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    match asked.what:
        case "make":
            make(asked.root, asked.samples)
        case "speed":
            speed(asked.root, asked.rounds)
        case "resume":
            resume(asked.root)
        case "memory":
            memory(asked.root, 2 * asked.samples)
        case "rate":
            print(rate(asked.root, asked.arm, asked.workers))
        case "first":
            print(first(asked.root, asked.share))


if __name__ == "__main__":
    main()
