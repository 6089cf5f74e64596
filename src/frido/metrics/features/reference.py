"""Features of real images on disk, so that no real image is looked at twice."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from frido.contracts import atomic
from frido.metrics.features.base import FeatureExtractor, Features

log = logging.getLogger(__name__)


class Reference:
    """Where the features of some real images are kept.

    What lies there is only ever used for an image whose digest stands beside it, so a wrong `images` costs time and
    changes no number.

    Args:
        root: `<run.root>/stages/reference`.
        images: What the real images are, in words that no other images have: they name the file.
    """

    def __init__(self, *, root: Path, images: str) -> None:
        self.root, self.images = root, images

    def path(self, extractor: FeatureExtractor, device: torch.device) -> Path:
        """Return the file for a network; other versions and devices have others, since they round otherwise."""
        told = json.dumps([self.images, self._about(extractor, device)], sort_keys=True)
        return self.root / hashlib.sha256(told.encode()).hexdigest()[:16] / "features.safetensors"

    def read(self, extractor: FeatureExtractor, device: torch.device) -> Features | None:
        """Return the rows that are kept, in ascending order of position; `None` where there are none, or damaged."""
        path = self.path(extractor, device)
        if not path.is_file():
            return None
        content = path.read_bytes()
        try:
            rows = Features(**load(content))
            header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
            sound = json.loads(header["about"]) == self._about(extractor, device) | {"sha256": _digest(rows)}
        except (SafetensorError, TypeError, ValueError, KeyError):
            sound = False
        if not sound:
            log.warning("%s is damaged; it is made anew", path)
            return None
        return rows

    def write(self, extractor: FeatureExtractor, device: torch.device, rows: Features) -> None:
        """Keep rows in place of what is there, whole or not at all."""
        about = json.dumps(self._about(extractor, device) | {"sha256": _digest(rows)}, sort_keys=True)
        tensors = {name: part.contiguous() for name, part in rows._asdict().items()}
        path = self.path(extractor, device)
        try:
            atomic.write_bytes(path, save(tensors, metadata={"about": about}))
        except OSError as error:
            log.warning("%s: %s; the real images will be looked at again next time", path, error)

    def _about(self, extractor: FeatureExtractor, device: torch.device) -> dict[str, Any]:
        return {
            "extractor": extractor.name,
            "resize": extractor.resize,
            "weights_sha256": extractor.sha256,
            "torch": torch.__version__,
            "device": device.type,
        }


def _digest(rows: Features) -> str:
    digest = hashlib.sha256()
    for part in rows:
        digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()
