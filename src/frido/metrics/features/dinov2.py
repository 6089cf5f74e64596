"""DINOv2 features, over which Fréchet distances agree with people better than over Inception's (Stein et al., 2023)."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import timm
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor
from torch.nn import functional as F

from frido.contracts.errors import FridoError
from frido.metrics.features.base import FeatureExtractor, Seen

ARCHITECTURES = tuple(f"vit_{size}_patch14_dinov2" for size in ("small", "base", "large", "giant"))
SIDE, PATCH = 224, 14
"""Of an image and of a patch, pixels."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue, in [0, 1]."""
OFFSET = 0.1
"""In patches; the published model adds it to the grid that positions are resampled to."""


class DINOv2(FeatureExtractor):
    """Class token of a DINOv2 vision transformer, as dgm-eval takes it (its default is ViT-L/14).

    Args:
        architecture: timm's name of it, one of `ARCHITECTURES`.
        weights: A file of timm's state dict (safetensors or pth), or Meta's own pth (not of giant); `None` looks for
            Meta's in `$TORCH_HOME/hub/checkpoints`.

    Raises:
        FridoError: There is no such file, or it holds something else.
    """

    classes = 0
    resize = "bicubic to 224 px, antialiased, in float, clipped to [0, 1]; then ImageNet's mean and deviation"

    def __init__(self, *, architecture: str, weights: str | None) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise FridoError(
                "architecture",
                got=architecture,
                wanted=", ".join(ARCHITECTURES),
                do=f"metrics.dinov2.extractor.architecture={ARCHITECTURES[2]}",
            )
        size = architecture.split("_")[1]
        self.name = "dinov2" if size == "large" else f"dinov2-{size}"
        path = find_weights(architecture, weights)
        content = path.read_bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.network = transformer(architecture)
        self.dimension = int(self.network.num_features)
        try:
            state = read_state(path)
            state.pop("mask_token", None)  # of Meta's file; only training masks
            state["pos_embed"] = resampled(state["pos_embed"], grid=SIDE // PATCH)
            self.network.load_state_dict(state)
        except (SafetensorError, pickle.UnpicklingError, AttributeError, KeyError, EOFError, RuntimeError) as error:
            raise FridoError(
                str(path),
                got=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
                wanted=f"the weights of timm's {architecture}",
                do="another `weights` of the extractor, or the `architecture` that these are of",
            ) from error
        self.requires_grad_(False).eval()

    @torch.inference_mode()
    def extract(self, images: UInt8[Tensor, "batch 3 height width"]) -> Seen:
        scaled = F.interpolate(images.float() / 255, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)
        mean, deviation = (images.new_tensor(part, dtype=torch.float32)[:, None, None] for part in (MEAN, DEVIATION))
        features = self.network.forward_features((scaled - mean) / deviation)[:, 0]
        return Seen(features, features[:, :0])


def transformer(architecture: str) -> Any:
    """Return timm's network, untrained; its type is open, for it has methods that `nn.Module` does not declare."""
    return timm.create_model(architecture, pretrained=False, img_size=SIDE, num_classes=0)


def find_weights(architecture: str, weights: str | None) -> Path:
    """Return the weights file: the given one, else Meta's in torch.hub's cache.

    Raises:
        FridoError: There is none.
    """
    file = f"dinov2_vit{architecture[4]}14_pretrain.pth"
    cached = Path(torch.hub.get_dir()) / "checkpoints" / file
    path = cached if weights is None else Path(weights).expanduser()
    if path.is_file():
        return path
    url = f"https://dl.fbaipublicfiles.com/dinov2/{file.removesuffix('_pretrain.pth')}/{file}"
    raise FridoError(
        "DINOv2 weights",
        got=f"no file at {path}",
        wanted=f"{file}, or timm's {architecture} as safetensors",
        do=f"download {url} to {cached}, or give the path of a file as the extractor's `weights`",
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file of either format, nothing else of it is read."""
    if path.suffix == ".safetensors":
        return load(path.read_bytes())
    return torch.load(path, weights_only=True, map_location="cpu")


def resampled(positions: Float[Tensor, "1 tokens d"], *, grid: int) -> Float[Tensor, "1 fewer d"]:
    """Return the position embeddings for another grid, as the published model resamples its own.

    Bicubic, not antialiased, with a scale that is a little larger than the quotient of the grids. (timm antialiases:
    its features are others.) The first token is the class token's.
    """
    own = round((positions.shape[1] - 1) ** 0.5)
    if own == grid:
        return positions
    square = rearrange(positions[:, 1:].float(), "1 (h w) d -> 1 d h w", h=own)
    scale = (grid + OFFSET) / own
    moved = F.interpolate(square, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([positions[:, :1].float(), rearrange(moved, "1 d h w -> 1 (h w) d")], dim=1)
