"""From images to the objects in them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from frido.contracts.geometry import Box
from frido.metrics.detector import Detector, Maps, boxes_of
from frido.metrics.features.exact import exact
from frido.metrics.full_batches import full_batches
from frido.metrics.weights import read_weights, to_unit_range

WEIGHTS = Path(__file__).with_name("judge.safetensors")

MOST = 16
"""Objects found in one image at most; scenes have up to 8."""

SAME = 0.7
"""Two finds whose boxes overlap by this (intersection over union) are one object: no other could be seen behind it.

Chosen, as the threshold, on split val of the demo's setting: 0.5 loses objects inside others, no limit doubles some.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An object seen in an image.

    Args:
        shape: Its shape word.
        colour: Its colour word.
        box: `(left, top, right, bottom)` as fractions of the image.
        score: How sure the network is that something is there, in (0, 1).
    """

    shape: str
    colour: str
    box: Box
    score: float

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"


class Finder:
    """The judge's eye: finds shapes, colours and boxes. Trained by `experiments/scene_features/train.py`.

    Args:
        threshold: Least score of an object, in (0, 1).
        weights: A file that the training script wrote; `None` is the one in the package.
    """

    def __init__(self, *, threshold: float, weights: str | None = None) -> None:
        state, self.about, self.sha256 = read_weights(WEIGHTS if weights is None else Path(weights))
        self.threshold = threshold
        self.shapes: list[str] = self.about["shapes"]
        self.colours: list[str] = self.about["colours"]
        self.resolution = int(self.about["resolution"])
        self.network = Detector(widths=self.about["widths"], shapes=len(self.shapes), colours=len(self.colours))
        self.network.load_state_dict(state)
        self.network.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def find(self, images: UInt8[Tensor, "batch 3 height width"]) -> list[list[Found]]:
        """Return the objects in each image, surest first."""
        found = []
        self.network.to(images.device)
        for batch, count in full_batches(images):
            with exact():
                maps = self.network(to_unit_range(batch, self.resolution))
            found += self._decode(Maps(*(part[:count].cpu() for part in maps)))
        return found

    def _decode(self, maps: Maps) -> list[list[Found]]:
        score, shape, colour = maps.centre.sigmoid(), maps.shape.argmax(1), maps.colour.argmax(1)
        peak = peaks(score, shape * len(self.colours) + colour)
        boxes = boxes_of(maps.box).clamp(0, 1)
        found: list[list[Found]] = [[] for _ in range(len(score))]
        for image, row, column in torch.nonzero(peak & (score >= self.threshold)).tolist():
            left, top, right, bottom = boxes[image, :, row, column].tolist()
            found[image].append(
                Found(
                    self.shapes[shape[image, row, column]],
                    self.colours[colour[image, row, column]],
                    (left, top, right, bottom),
                    float(score[image, row, column]),
                )
            )
        return [without_repeats(sorted(items, key=lambda item: -item.score)) for items in found]


def peaks(
    score: Float[Tensor, "batch rows columns"], kind: Int[Tensor, "batch rows columns"]
) -> Bool[Tensor, "batch rows columns"]:
    """Tell which cells are the surest of their kind among their eight neighbours.

    Of their kind, since an object may have its centre right beside that of another which it covers in part.
    """
    rows, columns = score.shape[-2:]
    around_score = F.unfold(F.pad(score[:, None], (1, 1, 1, 1)), 3)
    around_kind = F.unfold(F.pad(kind[:, None].float(), (1, 1, 1, 1), value=-1.0), 3)
    rivals = around_score * (around_kind == rearrange(kind, "b h w -> b 1 (h w)"))
    return rearrange(rivals.amax(1), "b (h w) -> b h w", h=rows, w=columns) <= score


def without_repeats(found: list[Found]) -> list[Found]:
    """Return the finds, surest first, without second sights of one object."""
    kept: list[Found] = []
    for item in found:
        if not any(_overlap(other.box, item.box) > SAME for other in kept):
            kept.append(item)
    return kept[:MOST]


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)
