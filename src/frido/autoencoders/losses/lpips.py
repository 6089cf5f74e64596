"""LPIPS (Zhang et al., 2018), through the package of that name, with weights that lie on this machine."""

import importlib
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from frido.autoencoders.losses.base import Perceptual
from frido.contracts.errors import FridoError


class Lpips(Perceptual):
    """Distance of deep features. Downloads nothing.

    Args:
        weight: Of the distance in the reconstruction loss.
        network: "vgg" (as VQGAN was trained) or "alex".
        trunk: File with torchvision's ImageNet weights of that network (`vgg16-397923af.pth` or
            `alexnet-owt-7be5be79.pth`); the package brings only its own layers.
    """

    def __init__(self, *, weight: float, network: str, trunk: str) -> None:
        super().__init__()
        self.weight = weight
        # In a tuple: a fixed network of 58 MB has no place in every checkpoint.
        self._network = (_load(network, Path(trunk)),)

    def forward(
        self, made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch"]:
        network = self._network[0].to(images.device)
        return network(images, made).flatten()


def _load(name: str, trunk: Path) -> Any:
    try:
        package = importlib.import_module("lpips")
    except ImportError as error:
        raise FridoError(
            "first_stage.loss.perceptual",
            got="the package lpips is not installed",
            wanted="it, for the perceptual loss",
            do="pip install 'frido[perceptual]', or train without: autoencoder/loss/perceptual=none",
        ) from error
    if not trunk.is_file():
        raise FridoError(
            "first_stage.loss.perceptual.trunk",
            got=f"no file {trunk}",
            wanted=f"torchvision's ImageNet weights of {name}",
            do="download them from download.pytorch.org/models and give their path, "
            "or train without: autoencoder/loss/perceptual=none",
        )
    network = package.LPIPS(net=name, pnet_rand=True, verbose=False).eval().requires_grad_(False)
    weights = torch.load(trunk, map_location="cpu", weights_only=True)
    own = network.net.state_dict()  # slice1.0.weight, slice2.3.weight: the second part is torchvision's index
    network.net.load_state_dict({key: weights["features." + key.split(".", 1)[1]] for key in own}, strict=True)
    return network
