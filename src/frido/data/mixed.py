"""Several packed datasets, read as one."""

from collections.abc import Sequence
from pathlib import Path

from frido.contracts import atomic
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.data.dataset import Dataset
from frido.data.mixture import Mixture, together
from frido.data.packed import PackedData
from frido.data.reading import Reading
from frido.data.shards import FORMAT, SPEC, read_spec


class MixedData(Dataset):
    """The stream takes from every dataset by its weight; held-out scenes from each by its size.

    Args:
        shards: Where each dataset is; see `PackedData`.
        weights: Share of each in the stream, in any unit.
        grain: Samples in a row that come from the same dataset; at best a multiple of every dataset's run.
        cache_gb: See `PackedData`; each dataset may take so much.
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
        self.weights, self.grain = list(weights), grain
        self.parts = [
            PackedData(
                shards=location,
                cache_gb=cache_gb,
                cache_dir=cache_dir,
                source="SOURCE",
                recipe="vg_sg2im",
                reading=reading,
                max_loss=max_loss,
            )
            for location in shards
        ]

    def found(self, cache: Path) -> Path:
        """Return `cache` with a `dataset.json` that names those of all datasets."""
        roots = self._roots(cache)
        specs = [read_spec(root) for root in roots]
        splits = {
            split: {"scenes": sum(spec["splits"].get(split, {"scenes": 0})["scenes"] for spec in specs)}
            for split in dict.fromkeys(split for spec in specs for split in spec["splits"])
        }
        words = together([part.rows(root, "train").vocabulary for part, root in zip(self.parts, roots, strict=True)])
        told = [
            {"sha256": sha256(root / SPEC), "weight": weight} for root, weight in zip(roots, self.weights, strict=True)
        ]
        evaluation = None if len(splits) > 1 else "no val or test images: evaluated on train"
        spec = {"format": FORMAT, "mixture": told, "grain": self.grain, "splits": splits, "evaluation": evaluation}
        atomic.write_json(cache / SPEC, spec | {"vocabulary": words.to_json()})
        return cache

    def rows(self, root: Path, split: str) -> Mixture:
        held = [
            (part.rows(place, split), weight)
            for part, place, weight in zip(self.parts, self._roots(root), self.weights, strict=True)
            if split in read_spec(place)["splits"]
        ]
        return Mixture([rows for rows, _ in held], weights=[weight for _, weight in held], grain=self.grain)

    def _roots(self, cache: Path) -> list[Path]:
        return [part.found(cache / f"{number}") for number, part in enumerate(self.parts)]
