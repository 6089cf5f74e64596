"""Real held-out scenes as the metrics take them."""

import io
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from frido.contracts.metric import Pictures
from frido.contracts.scene import Scene
from frido.data.sources.scenes import Scenes
from frido.metrics.evaluation import Evaluation, Result


@cache
def held_out(count: int, *, min_objects: int = 1, max_objects: int = 3) -> tuple[Tensor, list[Scene]]:
    """Return `count` scenes of split test at the demo's setting, images `(count, 3, 64, 64)` uint8."""
    source = Scenes(
        resolution=64,
        min_objects=min_objects,
        max_objects=max_objects,
        min_size=0.36,
        max_size=0.5,
        min_visible=0.5,
        seed=0,
    )
    scenes = [source.scene("test", i) for i in range(count)]
    images = [torch.from_numpy(np.array(Image.open(io.BytesIO(scene.image)))).permute(2, 0, 1) for scene in scenes]
    return torch.stack(images), scenes


def sides(real: Tensor, generated: Tensor) -> tuple[Pictures, Pictures]:
    """Return images as the two sides of a comparison, numbered from 0."""
    return Pictures(torch.arange(len(real)), real), Pictures(torch.arange(len(generated)), generated)


def batches(
    real: Tensor, generated: Tensor, scenes: list[Scene], *, size: int, rows: Sequence[int] | None = None
) -> Iterator[tuple[Pictures, Pictures, list[Scene]]]:
    """Yield pairs in batches; of all rows, or of these in this order."""
    order = torch.arange(len(real)) if rows is None else torch.tensor(rows)
    for part in order.split(size):
        yield Pictures(part, real[part]), Pictures(part, generated[part]), [scenes[row] for row in part.tolist()]


def score(evaluation: Evaluation, real: Tensor, generated: Tensor, scenes: list[Scene], size: int = 100) -> Result:
    """Return what an evaluation says of pairs with scenes."""
    given = batches(real, generated, scenes, size=size)
    return evaluation.run(given, paired=True, described=True, reference=None)
