"""LPIPS (Zhang et al., 2018), through the package of that name, with weights that lie on this machine."""

import importlib
import pickle
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from frido.autoencoders.losses.base import Perceptual
from frido.contracts.errors import FridoError

FILES = {"vgg": "vgg16-397923af.pth", "alex": "alexnet-owt-7be5be79.pth"}


class Lpips(Perceptual):
    """Distance of deep features. Downloads nothing.

    Args:
        weight: Of the distance in the reconstruction loss.
        network: "vgg" (as VQGAN was trained) or "alex".
        trunk: File with torchvision's ImageNet weights of that network; the package brings only its own layers. Null
            looks in torch.hub's cache, where torchvision puts it.
    """

    def __init__(self, *, weight: float, network: Literal["vgg", "alex"], trunk: str | None) -> None:
        super().__init__()
        self.weight = weight
        # In a tuple: a fixed network of 58 MB has no place in every checkpoint.
        self._network = (_load(network, Path(trunk or f"{torch.hub.get_dir()}/checkpoints/{FILES[network]}")),)

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
            wanted=f"torchvision's ImageNet weights of {name}, {FILES[name]}",
            do="download them from download.pytorch.org/models and give their path, "
            "or train without: autoencoder/loss/perceptual=none",
        )
    network = package.LPIPS(net=name, pnet_rand=True, verbose=False).eval().requires_grad_(False)
    own = network.net.state_dict()  # slice1.0.weight, slice2.3.weight: the second part is torchvision's index
    try:
        weights = torch.load(trunk, map_location="cpu", weights_only=True)
        network.net.load_state_dict({key: weights["features." + key.split(".", 1)[1]] for key in own}, strict=True)
    except (KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise FridoError(
            "first_stage.loss.perceptual.trunk",
            got=f"{trunk}: {str(error).splitlines()[0]}",
            wanted=f"torchvision's ImageNet weights of {name}, {FILES[name]}",
            do="give the file of that network, whole",
        ) from None
    return network
