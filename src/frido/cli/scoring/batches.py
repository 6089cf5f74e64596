"""Images of two sides on their way to the metrics."""

import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from frido.cli.scoring.sides import Side
from frido.contracts.metric import Pictures
from frido.contracts.scene import Scene
from frido.data.images import opened
from frido.data.upright import upright

AT_ONCE, PIXELS, THREADS = 64, 64 * 512 * 512, 4
"""Images, and pixels of one side, that are decoded before metrics see them, and by how many threads: memory and
speed, no number depends on it."""

Batch = tuple[Pictures, Pictures, Sequence[Scene]]


def batches(
    real: Side,
    generated: Side,
    partners: Sequence[int] | None,
    scenes: Sequence[Scene] | None,
    *,
    device: torch.device,
    advance: Callable[[int], None],
) -> Iterator[Batch]:
    """Yield images of one size at a time; in pairs, or else first the real ones and then the generated ones.

    Positions are the rows of each side; those of a generated image with a partner, its partner's.

    Args:
        real: One side.
        generated: The other.
        partners: Of each real image the generated one; `None` where there are no pairs.
        scenes: Of the generated images, or `None`.
        device: That metrics look at them on.
        advance: Is told of images that are dealt with.
    """
    with ThreadPoolExecutor(THREADS) as pool:

        def pixels(side: Side, rows: Sequence[int]) -> Tensor:
            return torch.stack(list(pool.map(lambda row: _decoded(side, row), rows))).to(device)

        if partners is not None:
            for rows in _alike(
                [(*r.size, *generated.pictures[g].size) for r, g in zip(real.pictures, partners, strict=True)]
            ):
                others = [partners[row] for row in rows]
                positions = torch.tensor(rows)
                told = [] if scenes is None else [scenes[row] for row in others]
                yield Pictures(positions, pixels(real, rows)), Pictures(positions, pixels(generated, others)), told
                advance(2 * len(rows))
            return
        nothing = Pictures(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3, 1, 1, dtype=torch.uint8, device=device))
        for rows in _alike([picture.size for picture in real.pictures]):
            yield Pictures(torch.tensor(rows), pixels(real, rows)), nothing, []
            advance(len(rows))
        for rows in _alike([picture.size for picture in generated.pictures]):
            told = [] if scenes is None else [scenes[row] for row in rows]
            yield nothing, Pictures(torch.tensor(rows), pixels(generated, rows)), told
            advance(len(rows))


def _alike(sizes: Sequence[tuple[int, ...]]) -> Iterator[list[int]]:
    """Yield rows of one size together, in their order, so many that they are not too large at once."""
    waiting: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, size in enumerate(sizes):
        waiting[size].append(row)
    for size, rows in waiting.items():
        count = max(1, min(AT_ONCE, PIXELS // (size[0] * size[1])))
        for start in range(0, len(rows), count):
            yield rows[start : start + count]


def _decoded(side: Side, row: int) -> Tensor:
    where = side.place.where(row)
    with opened(io.BytesIO(side.place.read(row).content), where) as stored:
        return torch.from_numpy(np.array(upright(stored))).permute(2, 0, 1)
