"""One side of a comparison, real or generated: its images come in, their features are kept."""

import hashlib

import torch
from torch import Tensor

from frido.contracts.metric import Pictures
from frido.metrics.features.base import FeatureExtractor, Features
from frido.metrics.features.batches import Batches, digests_of
from frido.metrics.features.reference import Reference
from frido.metrics.features.rows import Rows
from frido.metrics.ranks import is_first


class Side:
    """Looks at each image once, and at none whose features are kept already.

    Args:
        extractor: The network.
        reference: Where features of these images are kept, if they are.
    """

    def __init__(self, extractor: FeatureExtractor, reference: Reference | None) -> None:
        self.extractor, self.reference = extractor, reference
        self._batches = Batches(extractor)
        self._rows = Rows(dimension=extractor.dimension, classes=extractor.classes)
        self._device: torch.device | None = None
        self._kept: Features | None = None

    def add(self, pictures: Pictures) -> None:
        if self._device is None:
            self._device = pictures.images.device
            if self.reference is not None:
                self._kept = self.reference.read(self.extractor, self._device)
        digests = digests_of(pictures.images)
        new = torch.ones(len(digests), dtype=torch.bool)
        if self._kept is not None and len(self._kept.positions):
            positions = pictures.positions.cpu()
            places = torch.searchsorted(self._kept.positions, positions).clamp(max=len(self._kept.positions) - 1)
            found = self._kept.at(places)
            new = (found.positions != positions) | (found.digests != digests)
            self._rows.update(found.at(~new))
        self._take(self._batches.add(Pictures(*(part[new.to(part.device)] for part in pictures)), digests[new]))

    def everywhere(self) -> Features:
        """Return the rows of all processes, by position; the first process keeps what is new."""
        self._take(self._batches.rest())
        rows = self._rows.everywhere()
        if self.reference is not None and self._device is not None and is_first() and not _same(rows, self._kept):
            self.reference.write(self.extractor, self._device, rows)
        return rows

    def _take(self, looks: list[Features]) -> None:
        for rows in looks:
            self._rows.update(rows)


def identity(digests: Tensor) -> str:
    """Return a hash of a set of images, in any order."""
    return hashlib.sha256(digests.sort().values.numpy().tobytes()).hexdigest()[:16]


def _same(rows: Features, kept: Features | None) -> bool:
    return kept is not None and all(torch.equal(one, other) for one, other in zip(rows, kept, strict=True))
