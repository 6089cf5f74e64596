"""CLIPScore (Hessel et al., 2021): does a picture show what its text says?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float32
from torch import Tensor

from frido.contracts.graph_text import first_caption, scene_text
from frido.contracts.metric import Pictures
from frido.contracts.scene import Scene
from frido.metrics.clip import Clip
from frido.metrics.derangement import derangement
from frido.metrics.per_picture import PerPicture
from frido.metrics.ranks import from_all


class Told(NamedTuple):
    """A picture and its text as vectors of length 1, and which scene's they are."""

    scene: str
    image: Float32[Tensor, "direction"]
    text: Float32[Tensor, "direction"]


class ClipScore(PerPicture):
    """Similarity of each generated image and the text of its scene, in CLIP's space; the means.

    `clip_score/ENCODER@N` is 2.5 max(cos, 0), the paper's equation 1; `clip_cosine/ENCODER@N` is 100 cos, which
    torchmetrics calls CLIPScore; `clip_score_shuffled/ENCODER@N` is the score of the same images with the texts of
    other scenes (chance). A scene's text is its first caption, else its graph; where one has neither, no number.

    Args:
        encoder: CLIP.
        prompt: Before every text. The paper's is "A photo depicts "; most numbers of text-to-image papers have none.
    """

    needs_pairs = False
    needs_scenes = True

    def __init__(self, *, encoder: Clip, prompt: str) -> None:
        super().__init__()
        self.encoder, self.prompt = encoder, prompt
        self.names = (f"clip_score/{encoder.name}", f"clip_cosine/{encoder.name}")
        self._told: dict[int, Told] = {}
        self._silent: set[str] = set()
        self._seen: Counter[str] = Counter()
        self._counts: dict[str, int] = {}

    def update(self, *, real: Pictures, generated: Pictures, scenes: Sequence[Scene]) -> None:
        assert len(scenes) == len(generated.images), "rows of images and scenes belong together"
        texts = [scene_text(scene) for scene in scenes]
        self._silent |= {scene.id for scene, text in zip(scenes, texts, strict=True) if not text}
        if not all(texts) or not texts:
            self.take(generated.positions, {})
            return
        told = [self.prompt + text for text in texts]
        self._seen["texts"] += len(told)
        self._seen["captions"] += sum(bool(first_caption(scene)) for scene in scenes)
        self._seen["cut"] += self.encoder.too_long(told)
        vectors = self.encoder.of_images(generated.images), self.encoder.of_texts(told)
        cosines = (vectors[0].double() * vectors[1].double()).sum(1)
        self.take(generated.positions, dict(zip(self.names, (_score(cosines), 100 * cosines), strict=True)))
        rows = zip(generated.positions.tolist(), scenes, *vectors, strict=True)
        self._told |= {position: Told(scene.id, image, text) for position, scene, image, text in rows}

    def refusals(self) -> Mapping[str, str]:
        silent = sorted(set().union(*from_all(self._silent)))
        if not silent:
            return {}
        named = ", ".join(silent[:3]) + (", ..." if len(silent) > 3 else "")
        return dict.fromkeys(self.names, f"scenes with neither caption nor objects: {named}")

    def compute(self) -> dict[str, float]:
        numbers = super().compute()
        parts = from_all((self._told, self._seen))
        self._counts = dict(sum((seen for _, seen in parts), Counter()))
        together = {position: row for told, _ in parts for position, row in told.items()}
        rows = [together[position] for position in sorted(together)]
        others = derangement([row.scene for row in rows])
        if numbers and others:
            images, texts = (
                torch.stack(side).double()
                for side in ([row.image for row in rows], [rows[other].text for other in others])
            )
            name = self.names[0].replace("clip_score", "clip_score_shuffled")
            numbers[f"{name}@{len(rows)}"] = float(_score((images * texts).sum(1)).mean())
        return numbers

    def about(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder.name,
            "weights_sha256": self.encoder.sha256,
            "resize": self.encoder.resize,
            "formula": "clip_score: 2.5 max(cos, 0) (Hessel et al., 2021); clip_cosine: 100 cos (torchmetrics)",
            "text": f"{self.prompt!r} and the first caption, else the graph; cut to {self.encoder.max_tokens} tokens",
            "counts": self._counts,
            "shuffled": "each picture with the text of another scene, rows sorted by scene id and shifted",
        }


def _score(cosines: Tensor) -> Tensor:
    return 2.5 * cosines.clamp_min(0)
