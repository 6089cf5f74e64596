"""The network of LPIPS (Zhang et al., 2018): the package of that name, with weights that lie on this machine."""

import importlib
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from frido.contracts.errors import FridoError

FILES = {"vgg": "vgg16-397923af.pth", "alex": "alexnet-owt-7be5be79.pth"}
"""torchvision's ImageNet weights of each trunk; the package brings only its own layers."""


def trunk_file(network: str, trunk: str | None) -> Path:
    """Return where the weights of a trunk lie: at `trunk`, or in torch.hub's cache, where torchvision puts them."""
    return Path(trunk or f"{torch.hub.get_dir()}/checkpoints/{FILES[network]}").expanduser()


def lpips_network(name: str, trunk: Path, *, setting: str, without: str) -> Any:
    """Return the frozen network; called as `network(one, other)` with images in [-1, 1] it returns a distance for each.

    Args:
        name: "vgg" or "alex".
        trunk: File of its ImageNet weights (see `trunk_file`).
        setting: The place in the configuration that asks for it, for errors.
        without: What to type to do without it, for errors.

    Raises:
        FridoError: The package or the file is missing, or it is no such file.
    """
    try:
        package = importlib.import_module("lpips")
    except ImportError as error:
        raise FridoError(
            setting,
            got="the package lpips is not installed",
            wanted="it, for distances of deep features",
            do=f"pip install 'frido[perceptual]', or {without}",
        ) from error
    if not trunk.is_file():
        raise FridoError(
            f"{setting}.trunk",
            got=f"no file {trunk}",
            wanted=f"torchvision's ImageNet weights of {name}, {FILES[name]}",
            do=f"download them from download.pytorch.org/models and give their path, or {without}",
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torchvision")  # the package calls it in a way of earlier versions
        network = package.LPIPS(net=name, pnet_rand=True, verbose=False).eval().requires_grad_(False)
    own = network.net.state_dict()  # slice1.0.weight, slice2.3.weight: the second part is torchvision's index
    try:
        weights = torch.load(trunk, map_location="cpu", weights_only=True)
        network.net.load_state_dict({key: weights["features." + key.split(".", 1)[1]] for key in own}, strict=True)
    except (KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise FridoError(
            f"{setting}.trunk",
            got=f"{trunk}: {str(error).splitlines()[0]}",
            wanted=f"torchvision's ImageNet weights of {name}, {FILES[name]}",
            do="give the file of that network, whole",
        ) from None
    return network
