"""Feature networks with seeded random weights, in files as the published ones are."""

from pathlib import Path
from unittest.mock import patch

import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


def write_inception(path: Path) -> Path:
    """Write weights for torch-fidelity's Inception under which activations neither vanish nor explode."""
    torch.save({}, path)
    with patch.object(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None):
        network = FeatureExtractorInceptionV3("random", ["2048"], feature_extractor_weights_path=str(path))
    _randomize(network)
    torch.save(network.state_dict(), path)
    return path


def write_dinov2(path: Path, architecture: str = "vit_small_patch14_dinov2") -> Path:
    """Write weights of one of timm's DINOv2 networks, at the published image size."""
    network = timm.create_model(architecture, pretrained=False, num_classes=0)
    _randomize(network)
    save_file(network.state_dict(), path)
    return path


def _randomize(network: nn.Module) -> None:
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                scale = (2 / module.weight[0].numel()) ** 0.5
                module.weight.copy_(scale * torch.randn(module.weight.shape, generator=random))
        for name, parameter in network.named_parameters():
            if "gamma" in name or "pos_embed" in name or "cls_token" in name:
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=random))
