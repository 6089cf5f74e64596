"""The network of LPIPS as the metric holds it: one for all evaluations of a run."""

from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from frido.contracts.digest import sha256
from frido.metrics.features.exact import exact
from frido.metrics.full_batches import full_batches
from frido.nn.lpips import lpips_network, trunk_file


class LpipsNetwork:
    """LPIPS (Zhang et al., 2018), version 0.1 of its weights. Downloads nothing.

    Args:
        name: "vgg" or "alex".
        trunk: File with torchvision's ImageNet weights of that network; null looks in torch.hub's cache.

    Raises:
        FridoError: The package lpips or the file is missing, or it is no such file.
    """

    def __init__(self, *, name: Literal["vgg", "alex"], trunk: str | None) -> None:
        path = trunk_file(name, trunk)
        setting = "metrics.metrics.lpips.network"
        self._network = lpips_network(name, path, setting=setting, without="take another option of metrics")
        self.name, self.sha256 = name, sha256(path)
        self.package = f"lpips {_version('lpips')}"

    @torch.inference_mode()
    def distances(
        self, one: UInt8[Tensor, "batch 3 height width"], other: UInt8[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch"]:
        """Return the distance of each pair of images."""
        network = self._network.to(one.device)
        batches = zip(full_batches(one), full_batches(other), strict=True)
        with exact():
            found = [network(_scaled(a), _scaled(b)).flatten()[:count] for (a, count), (b, _) in batches]
        return torch.cat([torch.zeros(0, device=one.device), *found])


def _scaled(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
