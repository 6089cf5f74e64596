"""Real held-out scenes as the metrics take them."""

import io
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from frido.contracts.scene import Scene
from frido.data.sources.scenes import Scenes


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
