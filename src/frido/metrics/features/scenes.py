"""Features of a small classifier of procedural scenes."""

from pathlib import Path
from typing import Any

import timm
import torch
from jaxtyping import UInt8
from torch import Tensor

from frido.metrics.features.base import FeatureExtractor, Seen
from frido.metrics.weights import read_weights, to_unit_range

WEIGHTS = Path(__file__).with_name("scenes.safetensors")


def scene_network(*, architecture: str, classes: int) -> Any:
    """Return an untrained timm classifier; its type is open, for it has methods that `nn.Module` does not declare."""
    return timm.create_model(architecture, pretrained=False, num_classes=classes)


class SceneFeatures(FeatureExtractor):
    """Pooled features and shape x colour logits of the largest object (`experiments/scene_features`).

    Sees what procedural scenes are made of and nothing else: numbers over it compare runs on scenes, never
    runs on photographs.

    Args:
        weights: A file that `experiments/scene_features/train.py` wrote; `None` is the one in the package.
    """

    name = "scenes"

    def __init__(self, *, weights: str | None = None) -> None:
        super().__init__()
        state, self.about, self.sha256 = read_weights(WEIGHTS if weights is None else Path(weights))
        self.resolution = int(self.about["resolution"])
        self.words: list[str] = self.about["classes"]
        self.classes = len(self.words)
        self.network = scene_network(architecture=self.about["architecture"], classes=self.classes)
        self.network.load_state_dict(state)
        self.dimension = int(self.network.num_features)
        self.resize = f"antialiased bilinear to {self.resolution} px"
        self.requires_grad_(False).eval()

    @torch.inference_mode()
    def extract(self, images: UInt8[Tensor, "batch 3 height width"]) -> Seen:
        maps = self.network.forward_features(to_unit_range(images, self.resolution))
        features = self.network.forward_head(maps, pre_logits=True)
        return Seen(features, self.network.get_classifier()(features))
