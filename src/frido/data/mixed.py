"""Several packed datasets, read as one."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary
from frido.contracts.stream import Stream
from frido.data.dataset import Dataset
from frido.data.mixture import Mixture, together
from frido.data.packed import PackedData, check_room
from frido.data.packing.pack import finished
from frido.data.reading import Reading
from frido.data.shards import SPEC, read_spec
from frido.data.stores.pinned import keep


class MixedData(Dataset):
    """The stream takes from every dataset by its weight; held-out scenes from each by its size.

    Args:
        shards: Where each dataset is; see `PackedData`.
        weights: Share of each in the stream, in any unit.
        grain: Samples in a row that come from the same dataset; at best a multiple of every dataset's run.
        cache_gb: See `PackedData`; for all datasets together.
        cache_dir: See `PackedData`.
        reading: Makes batches of the scenes.
        max_loss: Samples that may turn out unreadable before a training stops.

    Raises:
        FridoError: Not as many weights as datasets, or one is not positive.
    """

    def __init__(
        self,
        *,
        shards: Sequence[str],
        weights: Sequence[float],
        grain: int,
        cache_gb: float,
        cache_dir: str,
        reading: Reading,
        max_loss: int,
    ) -> None:
        super().__init__(reading=reading, max_loss=max_loss)
        if len(shards) != len(weights) or min(weights, default=0) <= 0 or grain < 1:
            raise FridoError(
                "data.shards, data.weights, data.grain",
                got=f"{list(shards)}, {list(weights)}, {grain}",
                wanted="as many positive weights as locations, and a positive grain",
                do="data.shards=[datasets/vg_sg2im,datasets/coco_sg2im] data.weights=[1.0,3.0]",
            )
        self.weights, self.grain, self.cache_gb = list(weights), grain, cache_gb
        self.parts = [
            PackedData(
                shards=location,
                cache_gb=cache_gb,
                cache_dir=cache_dir,
                pack_source="SOURCE",
                pack_recipe="vg_sg2im",
                reading=reading,
                max_loss=max_loss,
            )
            for location in shards
        ]

    def found(self, cache: Path) -> Path:
        """Return a folder in `cache` with a `dataset.json` that names those of all datasets.

        Raises:
            FridoError: One is not there; or the shards of two blocks of each do not fit into `cache_gb`.
        """
        roots = [part.located(cache / f"{number}") for number, part in enumerate(self.parts)]
        needed = sum(part.two_blocks(root) for part, root in zip(self.parts, roots, strict=True))
        check_room(needed, self.cache_gb)
        specs = [read_spec(root) for root in roots]
        splits = {
            split: {"scenes": sum(spec["splits"].get(split, {"scenes": 0})["scenes"] for spec in specs)}
            for split in dict.fromkeys(split for spec in specs for split in spec["splits"])
        }
        told = [
            {"sha256": sha256(root / SPEC), "weight": weight} for root, weight in zip(roots, self.weights, strict=True)
        ]
        words = self._words(roots).to_json()
        spec = finished({"mixture": told, "grain": self.grain, "splits": splits, "vocabulary": words})
        return keep((json.dumps(spec, indent=2, sort_keys=True) + "\n").encode(), cache)

    def rows(self, root: Path, split: str) -> Mixture:
        places = self._places(root)
        parts = {
            number: part.rows(place, split)
            for number, (part, place) in enumerate(zip(self.parts, places, strict=True))
            if split in read_spec(place)["splits"]
        }
        return Mixture(parts, weights=self.weights, vocabulary=self._words(places), grain=self.grain)

    def stream(self, root: Path, *, batch: int, rank: int, world_size: int, seed: int) -> Stream:
        stream = super().stream(root, batch=batch, rank=rank, world_size=world_size, seed=seed)
        if rank == 0:
            for part, place in zip(self.parts, self._places(root), strict=True):
                part.warn_of_cuts(place, math.gcd(self.grain, batch // world_size))
        return stream

    def _words(self, places: Sequence[Path]) -> Vocabulary:
        return together([part.rows(place, "train").vocabulary for part, place in zip(self.parts, places, strict=True)])

    def _places(self, root: Path) -> list[Path]:
        """Return where each dataset is.

        Raises:
            FridoError: One is not what it was when the mixture was prepared.
        """
        digests = [part["sha256"] for part in read_spec(root)["mixture"]]
        places = [
            part.place(root.parent / f"{number}", digest)
            for number, (part, digest) in enumerate(zip(self.parts, digests, strict=True))
        ]
        for place, digest in zip(places, digests, strict=True):
            found = sha256(place / SPEC) if (place / SPEC).is_file() else None
            if found != digest:
                raise FridoError(
                    f"{place / SPEC}, a part of the mixture {root}",
                    got=f"SHA-256 {found[:12]}" if found else "no such file",
                    wanted=digest[:12],
                    do="bring the earlier one back, or start a run anew with run.fresh=true",
                )
        return places
