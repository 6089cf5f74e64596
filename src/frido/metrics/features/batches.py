"""Images on their way through a feature network."""

import hashlib

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from frido.contracts.metric import Pictures
from frido.metrics.features.base import FeatureExtractor, Features
from frido.metrics.features.exact import exact
from frido.metrics.full_batches import ROWS


class Batches:
    """Shows images to a network in full batches of one size, whatever batches they come in.

    Rows wait until there are `ROWS` of their size; at the end the last ones are filled up with black images. So what
    is said of an image is a function of the image, to the last bit (where the network works on a row as it does on
    another one).
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self.extractor = extractor
        self._waiting: dict[tuple[int, int], list[tuple[Pictures, Int64[Tensor, "batch"]]]] = {}

    def add(self, pictures: Pictures, digests: Int64[Tensor, "batch"]) -> list[Features]:
        """Take in images; return what the network said of full batches, on the CPU."""
        if not len(pictures.images):
            return []
        size = pictures.images.shape[2], pictures.images.shape[3]
        self._waiting.setdefault(size, []).append((pictures, digests))
        waits = self._waiting[size]
        if sum(len(rows) for _, rows in waits) < ROWS:
            return []
        together, digests = _join(waits)
        full = len(digests) - len(digests) % ROWS
        self._waiting[size] = [(Pictures(*(part[full:] for part in together)), digests[full:])]
        return [
            self._look(Pictures(*(part[start : start + ROWS] for part in together)), digests[start : start + ROWS])
            for start in range(0, full, ROWS)
        ]

    def rest(self) -> list[Features]:
        """Return what the network says of the images that still wait."""
        waiting, self._waiting = self._waiting, {}
        return [self._look(*_join(waits)) for waits in waiting.values() if any(len(rows) for _, rows in waits)]

    def _look(self, pictures: Pictures, digests: Int64[Tensor, "batch"]) -> Features:
        count = len(digests)
        blank = pictures.images.new_zeros(ROWS - count, *pictures.images.shape[1:])
        self.extractor.to(pictures.images.device)
        with exact():
            seen = self.extractor.extract(torch.cat([pictures.images, blank]))
        return Features(pictures.positions.cpu(), digests, *(part[:count].float().cpu() for part in seen))


def digests_of(images: UInt8[Tensor, "batch 3 height width"]) -> Int64[Tensor, "batch"]:
    """Return of each image the first 64 bits of the SHA-256 of its size and pixels."""
    shape = str(tuple(images.shape[1:])).encode()
    found = [hashlib.sha256(shape + image.tobytes()).digest()[:8] for image in images.cpu().numpy()]
    return torch.tensor([int.from_bytes(digest, "big", signed=True) for digest in found], dtype=torch.int64)


def _join(waits: list[tuple[Pictures, Tensor]]) -> tuple[Pictures, Tensor]:
    pictures = Pictures(*(torch.cat(parts) for parts in zip(*(pictures for pictures, _ in waits), strict=True)))
    return pictures, torch.cat([digests for _, digests in waits])
