"""Real or made, patch by patch (Isola et al., 2017)."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from frido.nn.seeded import seeded

SLOPE = 0.2
LARGEST_MULTIPLIER = 8


class PatchDiscriminator(nn.Module):
    """A convolutional network without dense layers: one logit per patch, large for real ones.

    Args:
        width: Channels after the first layer; doubled by each further one, at most eightfold.
        num_layers: Strided layers: 2 looks at patches of 34 pixels, 3 at 70.
        norm: Makes the norm after every layer but first and last; `num_features` is added here.
        bias: Whether the layers before a norm have one. A batch norm would subtract it again.
        seed: Of the initial weights, normal with deviation 0.02.
    """

    def __init__(self, *, width: int, num_layers: int, norm: Callable[..., nn.Module], bias: bool, seed: int) -> None:
        super().__init__()
        widths = [width * min(2**layer, LARGEST_MULTIPLIER) for layer in range(num_layers + 1)]
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        for layer in range(1, num_layers + 1):
            stride = 2 if layer < num_layers else 1
            layers += [
                nn.Conv2d(widths[layer - 1], widths[layer], 4, stride=stride, padding=1, bias=bias),
                norm(num_features=widths[layer]),
                nn.LeakyReLU(SLOPE),
            ]
        self.main = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))
        with seeded(seed):
            for module in self.main:
                if isinstance(module, nn.Conv2d):
                    nn.init.normal_(module.weight, 0.0, 0.02)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
                elif isinstance(module, nn.BatchNorm2d):
                    nn.init.normal_(module.weight, 1.0, 0.02)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 patches_down patches_across"]:
        return self.main(images)
