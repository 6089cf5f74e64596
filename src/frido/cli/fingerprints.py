"""What drawn images began with, as short hashes: two pictures show what two models make of the same where these agree.

A fingerprint is the first 16 hexadecimal digits of a SHA-256.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from frido.cli import pictures
from frido.cli.session import Session
from frido.contracts.batch import Batch
from frido.contracts.pyramid import Pyramid
from frido.contracts.scene import Scene

DIGITS = 16
HOW = (
    "the first 16 hexadecimal digits of the SHA-256 of the noise that the chains of a row began with: float32, "
    "little-endian, channels by rows by columns, one scale after the other, coarsest first"
)


def of_noise(noise: Pyramid) -> list[str]:
    """Return a fingerprint for each row of float32 noise, over all scales."""
    parts = [scale.cpu().numpy().astype("<f4") for scale in noise]
    return [_short(*(part[row].tobytes() for part in parts)) for row in range(len(parts[0]))]


def of_condition(scene: Scene, shown: UInt8[Tensor, "3 height width"] | None) -> str:
    """Return the fingerprint of what there is to draw by: all that annotates a scene, and what is shown of its image.

    Not of names and file sizes: packed anew, a scene is the same condition. A conditioner may look at less of it.
    """
    told = scene.to_json()
    words = json.dumps({name: told[name] for name in ("objects", "relationships", "captions")}, sort_keys=True)
    return _short(words.encode(), *([] if shown is None else [shown.cpu().numpy().tobytes()]))


def together(fingerprints: Sequence[str]) -> str:
    """Return one fingerprint for several, in their order."""
    return _short(*(text.encode() for text in fingerprints))


def items(session: Session, task: Any, batch: Batch, split: str) -> list[dict[str, Any]]:
    """Return what the card of a picture says of its columns, one for each scene of a held-out batch with its images."""
    scenes = [session.shown(split, row) for row in batch.positions.tolist()]
    shown = task.view.picture(batch)
    pixels = [None] * batch.size if shown is None else list(pictures.to_uint8(shown))
    noise = of_noise(session.first_noise(task, batch.positions))
    return [
        {"scene": scene.id, "scene_json": scene.to_json(), "condition": of_condition(scene, image), "noise": first}
        for scene, image, first in zip(scenes, pixels, noise, strict=True)
    ]


def _short(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:DIGITS]
