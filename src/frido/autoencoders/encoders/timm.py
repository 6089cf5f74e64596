"""Any backbone of the timm package as the encoder's trunk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.encoders.base import Encoder
from frido.contracts.errors import FridoError, nearest


class TimmEncoder(Encoder):
    """A backbone that timm builds with `features_only`, and a 3x3 convolution to every map.

    Stages below the coarsest map are left out where timm can leave them out; what remains in the backbone without a
    share in any map is kept as buffers, since DDP stops at parameters without a gradient. Images are brought to the
    mean and deviation that the backbone's weights expect. No norm stands between the backbone and a map: normed per
    image, a plain background would have no brightness.

    Backbones bound to one image size (hiera, maxvit, nest) take that size alone.

    Args:
        channels: Of every map; added by the autoencoder.
        factors: Of the maps, coarsest first; added by the autoencoder.
        model: timm's name of the backbone, for example `convnext_atto`.
        weights: File with the backbone's weights, as published for timm; None starts from random ones. Nothing is
            ever downloaded.

    Raises:
        FridoError: The backbone does not exist, has no maps, or none at one of `factors`; or `weights` do not fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, channels: int, factors: list[int], model: str, weights: str | None) -> None:
        super().__init__()
        _check_name(model)
        infos = _copy_without_numbers(model).feature_info.info
        reductions = [info["reduction"] for info in infos]
        stages = _stages(model, reductions, factors)
        # timm wants its stages in ascending order, each once: finest first.
        wanted = {"out_indices": stages[::-1]}
        self.trunk = _backbone(model, **wanted) if weights is None else _loaded(model, weights, **wanted)
        _keep_idle_as_buffers(self.trunk, _idle(_copy_without_numbers(model, **wanted)))
        self.channels_last = getattr(self.trunk, "output_fmt", None) == "NHWC"
        self.heads = nn.ModuleList(nn.Conv2d(infos[stage]["num_chs"], channels, 3, padding=1) for stage in stages)
        for name in ("mean", "std"):
            values = torch.tensor(self.trunk.pretrained_cfg[name])
            self.register_buffer(name, rearrange(values, "c -> c 1 1"), persistent=False)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Float[Tensor, "batch channels _ _"], ...]:
        maps = self.trunk(((images + 1) / 2 - self.mean) / self.std)[::-1]
        if self.channels_last:
            maps = [rearrange(features, "b h w c -> b c h w") for features in maps]
        return tuple(head(features) for head, features in zip(self.heads, maps, strict=True))


def _check_name(model: str) -> None:
    import timm

    if not timm.is_model(model):
        close = nearest(model, timm.list_models()) or ["convnext_atto", "resnet18", "swin_tiny_patch4_window7_224"]
        raise FridoError(
            "autoencoder.encoder.model",
            got=model,
            wanted=f"a model that timm {timm.__version__} knows, like {', '.join(close)}",
            do=f"autoencoder.encoder.model={close[0]}",
        )


def _backbone(model: str, **settings: Any) -> Any:
    """Build a backbone that returns maps, for images of any size where it can."""
    import timm

    try:
        return timm.create_model(model, features_only=True, dynamic_img_size=True, **settings)
    except TypeError as error:
        if "dynamic_img_size" not in str(error):  # a convolutional backbone needs no such word
            raise
        return timm.create_model(model, features_only=True, **settings)


def _copy_without_numbers(model: str, **settings: Any) -> Any:
    try:
        with torch.device("meta"):
            return _backbone(model, **settings).eval()
    except RuntimeError as error:
        raise FridoError(
            "autoencoder.encoder.model",
            got=f"{model}: {error}",
            wanted="a backbone that returns feature maps",
            do="autoencoder.encoder.model=convnext_atto",
        ) from None


def _loaded(model: str, weights: str, **settings: Any) -> Any:
    """Build a backbone with weights of a local file, which timm translates as it does published ones."""
    if not Path(weights).is_file():
        raise _misfit(model, f"{weights}, which is no file")
    overlay = {"file": weights, "custom_load": False}
    try:
        trunk, again = (_backbone(model, pretrained=True, pretrained_cfg_overlay=overlay, **settings) for _ in range(2))
    except Exception as error:  # a file of something else fails wherever timm first misses a name
        raise _misfit(model, f"{weights}: {type(error).__name__}: {error}") from None
    # timm is silent about absent weights when it leaves the classifier out. What differs now is random.
    pairs = zip(trunk.named_parameters(), again.parameters(), strict=True)
    absent = [name for (name, values), others in pairs if not torch.equal(values, others)]
    if absent:
        raise _misfit(model, f"{weights}, without {len(absent)} of its tensors, like {', '.join(absent[:3])}")
    return trunk


def _misfit(model: str, got: str) -> FridoError:
    return FridoError(
        "autoencoder.encoder.weights",
        got=got if len(got) < 600 else f"{got[:600]} ...",
        wanted=f"a file of weights of timm's {model}",
        do="download it first, or autoencoder.encoder.weights=null to start from random weights",
    )


def _stages(model: str, reductions: Sequence[int], factors: Sequence[int]) -> list[int]:
    """Return the deepest stage at each of `factors`."""
    if not set(factors) <= set(reductions):
        there = sorted(set(reductions), reverse=True)
        raise FridoError(
            "autoencoder.factors",
            got=f"{list(factors)} with the backbone {model}",
            wanted=f"some of its {there}",
            do=f"autoencoder.factors={there[-2:]}".replace(" ", ""),
        )
    return [max(stage for stage, reduction in enumerate(reductions) if reduction == factor) for factor in factors]


def _idle(copy: Any) -> list[str]:
    """Return the names of parameters that have no share in the maps of a backbone on the meta device."""
    with torch.device("meta"):
        maps = copy(torch.zeros(1, *copy.pretrained_cfg["input_size"]))
        torch.stack([features.sum() for features in maps]).sum().backward()
    return [name for name, parameter in copy.named_parameters() if parameter.grad is None]


def _keep_idle_as_buffers(trunk: nn.Module, names: Sequence[str]) -> None:
    for name in names:
        path, _, last = name.rpartition(".")
        owner = trunk.get_submodule(path)
        values = getattr(owner, last).detach()
        delattr(owner, last)
        owner.register_buffer(last, values)
