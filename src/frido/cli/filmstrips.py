"""Filmstrips of denoising: what the chains believe is the clean image, scale by scale and step by step."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frido.cli import fingerprints, pictures
from frido.cli.build import build
from frido.cli.session import Session
from frido.contracts import atomic
from frido.contracts.batch import Batch
from frido.contracts.pyramid import Pyramid
from frido.diffusion.pyramid_chains import WatchPyramid

SCENES, STEPS = 4, 8
HOW = (
    "The clean latent that the denoiser sees at some steps of every scale, guidance included, decoded to an image. "
    "Coarser scales are finished by then; in the place of finer ones, which are not drawn yet, the decoder gets "
    "nothing: zeros, after the codebooks. A chain that ends before the clean end leaves a little noise in what was "
    "drawn, which the last picture of a strip does not show."
)


class Filmstrips:
    """Keeps what was believed of the first `SCENES` scenes while they were drawn, and makes a strip of each.

    A strip has a row per scale and at most `STEPS` columns, evenly spaced over the steps of that scale, the first and
    the last among them; where a scale has fewer steps than another, the rest of its row is black.

    Args:
        session: That draws the scenes.
        task: That they are drawn by.
        split: Of the scenes.
    """

    def __init__(self, *, session: Session, task: Any, split: str) -> None:
        self.session, self.task, self.split = session, task, split
        diffusion, scales = session.config["diffusion"], len(session.frozen.channels)
        sampler = task.check_sampling(build(diffusion["sampler"]), build(diffusion["guidance"]))
        self.times = [sampler.at(scale, num_scales=scales).times.tolist() for scale in range(scales)]
        self.steps = [evenly(len(times) - 1, most=STEPS) for times in self.times]
        self._items: dict[int, dict[str, Any]] = {}
        self._seen: dict[tuple[int, int, int], Pyramid] = {}

    def watch(self, batch: Batch) -> WatchPyramid | None:
        """Return what watches the first scenes of all in a held-out batch with its images; `None` if none is there."""
        rows = {place: row for place, row in enumerate(batch.positions.tolist()) if row < SCENES}
        if not rows:
            return None
        items = fingerprints.items(self.session, self.task, batch, self.split)
        self._items |= {row: {"row": row, **items[place]} for place, row in rows.items()}

        def watch(scale: int, step: int, believed: Pyramid) -> None:
            if step in self.steps[scale]:
                for place, row in rows.items():
                    self._seen[row, scale, step] = tuple(latent[place : place + 1].clone() for latent in believed)

        return watch

    def save(self, folder: Path) -> None:
        """Write `<row>.png` for each scene that was watched and, last, `card.json`, which says what they show."""
        for row in self._items:
            strip = torch.cat([self._scale(row, scale) for scale in range(len(self.steps))])
            pictures.save(pictures.grid(strip, columns=self._columns), folder / f"{row:06d}.png")
        resolution = self.session.config["size"]["resolution"]
        card = {
            "tile": [resolution, resolution],
            "gap": 0,
            "rows": [f"scale {scale}" for scale in range(len(self.steps))],
            "columns": [
                [{"step": step, "time": times[step]} for step in steps]
                for steps, times in zip(self.steps, self.times, strict=True)
            ],
            "items": [self._items[row] for row in sorted(self._items)],
            "how": HOW,
        }
        atomic.write_json(folder / "card.json", card)

    @property
    def _columns(self) -> int:
        return max(len(steps) for steps in self.steps)

    def _scale(self, row: int, scale: int) -> Tensor:
        """Return the uint8 images of one scale of a strip, as many as it has columns."""
        seen = [self._seen[row, scale, step] for step in self.steps[scale]]
        images = self.session.decoded(tuple(torch.cat(latents) for latents in zip(*seen, strict=True)))
        shown = pictures.to_uint8(images)
        return torch.cat([shown, shown.new_zeros(self._columns - len(shown), *shown.shape[1:])])


def evenly(count: int, *, most: int) -> list[int]:
    """Return at most `most` of the numbers 0 .. `count - 1`, evenly spaced, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]
