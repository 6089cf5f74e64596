"""The Inception features that published FID and IS numbers use."""

import hashlib
import io
from pathlib import Path
from weakref import WeakValueDictionary

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from frido.contracts.errors import FridoError
from frido.metrics.features.base import FeatureExtractor, Seen

FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/" + FILES[0]

IN_USE: WeakValueDictionary[str, nn.Module] = WeakValueDictionary()
"""Networks in memory by the SHA-256 of their weights: the banks of images and of objects share one."""


def find_weights(weights: str | None) -> Path:
    """Return the weights file: the given one, else the one in torch.hub's cache."""
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    candidates = [cache / name for name in FILES] if weights is None else [Path(weights).expanduser()]
    for path in candidates:
        if path.is_file():
            return path
    raise FridoError(
        "Inception weights",
        got=f"no file at {', '.join(map(str, candidates))}",
        wanted=FILES[0],
        do=f"download {URL} to {cache / FILES[0]}, or give its path as the extractor's `weights`, or metrics=scenes",
    )


class Inception(FeatureExtractor):
    """torch-fidelity's Inception V3 (2015-12-05): `2048` features and `logits_unbiased`, TF1 bilinear resize.

    Args:
        weights: Path of the weights file; `None` looks in `$TORCH_HOME/hub/checkpoints`.
        sha256: How the SHA-256 of that file begins, in hex: the published file, unless other weights are wanted.
    """

    name = "inception"
    dimension = 2048
    classes = 1008
    resize = "torch-fidelity's TF1-compatible bilinear to 299 px, no antialiasing"

    def __init__(self, *, weights: str | None, sha256: str) -> None:
        super().__init__()
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError as error:
            raise FridoError(
                "Inception features",
                got=error,
                wanted="the package torch-fidelity",
                do="pip install 'frido[inception]', or metrics=scenes",
            ) from error
        path = find_weights(weights)
        content = path.read_bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        if not self.sha256.startswith(sha256):
            raise FridoError(
                str(path),
                got=f"SHA-256 {self.sha256}",
                wanted=f"a SHA-256 that begins with {sha256}",
                do=f"delete it and download {URL} again",
            )
        found = IN_USE.get(self.sha256)
        if found is None:
            # torch-fidelity unpickles what it is given without limits, so it gets a copy that holds only tensors.
            tensors = io.BytesIO()
            torch.save(torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"), tensors)
            tensors.seek(0)
            found = IN_USE[self.sha256] = FeatureExtractorInceptionV3(
                "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=tensors
            )
        self.network = found
        self.requires_grad_(False).eval()

    @torch.inference_mode()
    def extract(self, images: UInt8[Tensor, "batch 3 height width"]) -> Seen:
        return Seen(*self.network(images))
