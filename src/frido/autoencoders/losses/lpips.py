"""LPIPS (Zhang et al., 2018) as a part of the reconstruction loss."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from frido.autoencoders.losses.base import Perceptual
from frido.nn.lpips import lpips_network, trunk_file


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
        found = lpips_network(
            network,
            trunk_file(network, trunk),
            setting="first_stage.loss.perceptual",
            without="train without: autoencoder/loss/perceptual=none",
        )
        # In a tuple: a fixed network of 58 MB has no place in every checkpoint.
        self._network = (found,)

    def forward(
        self, made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch"]:
        network = self._network[0].to(images.device)
        return network(images, made).flatten()
