import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from frido.contracts.errors import FridoError
from frido.metrics.features.dinov2 import DEVIATION, MEAN, DINOv2, resampled
from frido.metrics.features.dinov2_if_found import DINOv2IfFound
from tests.metrics.networks import write_dinov2

SMALL, LARGE = "vit_small_patch14_dinov2", "vit_large_patch14_dinov2"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_dinov2(tmp_path_factory.mktemp("weights") / "small.safetensors")


def test_features_are_the_class_token_of_the_resized_image(weights):
    """Written out with timm's own parts; positions come in a grid of 37 and go to one of 16."""
    extractor = DINOv2(architecture=SMALL, weights=str(weights))
    image = torch.randint(0, 256, (1, 3, 50, 70), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = extractor.extract(image)

    network = timm.create_model(SMALL, pretrained=False, num_classes=0, dynamic_img_size=True)
    network.load_state_dict(load_file(weights))
    square = F.interpolate(image.float() / 255, (224, 224), mode="bicubic", antialias=True).clamp(0, 1)
    square = (square - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    tokens = network.patch_embed(square).flatten(1, 2) + resampled(network.pos_embed, grid=16)[:, 1:]
    tokens = torch.cat([network.cls_token + network.pos_embed[:, :1], tokens], dim=1)
    expected = network.norm(network.blocks(tokens))[:, 0]
    torch.testing.assert_close(found.features, expected.detach(), rtol=1e-4, atol=1e-4)
    assert found.logits.shape == (1, 0)
    assert (extractor.name, extractor.dimension, len(extractor.sha256)) == ("dinov2-small", 384, 64)


def test_positions_that_are_linear_stay_so_under_resampling():
    """Place k of 16 lies at (k + 1/2) 37 / 16.1 - 1/2 of 37, and torch's bicubic keeps a line to within 0.05."""
    rows = torch.arange(37.0)[:, None].expand(37, 37)
    positions = torch.cat([torch.full((1, 1, 2), -7.0), torch.stack([rows, rows.T], dim=-1).reshape(1, -1, 2)], dim=1)
    found = resampled(positions, grid=16)
    assert found.shape == (1, 257, 2)
    assert (found[:, 0] == -7).all(), "the class token has no place"
    expected = (torch.arange(16) + 0.5) * 37 / 16.1 - 0.5
    grid = found[0, 1:].reshape(16, 16, 2)
    inner = slice(1, 15)  # at the edges places are repeated
    torch.testing.assert_close(grid[inner, 5, 0], expected[inner], rtol=0, atol=0.06)
    torch.testing.assert_close(grid[5, inner, 1], expected[inner], rtol=0, atol=0.06)


def test_meta_s_file_in_the_cache_of_torch_is_found_and_its_mask_token_not_missed(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "dinov2_vits14_pretrain.pth"
    path.parent.mkdir(parents=True)
    torch.save(load_file(weights) | {"mask_token": torch.zeros(1, 384)}, path)
    found, given = DINOv2(architecture=SMALL, weights=None), DINOv2(architecture=SMALL, weights=str(weights))
    for name, tensor in given.network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], tensor), name


def test_missing_weights_say_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FridoError) as error:
        DINOv2(architecture=LARGE, weights=None)
    assert "dinov2_vitl14/dinov2_vitl14_pretrain.pth" in error.value.do
    extractor = DINOv2IfFound(architecture=LARGE, weights=None)
    assert extractor.name == "dinov2" and "docs/metrics.md" in extractor.missing
    with pytest.raises(FridoError):
        DINOv2IfFound(architecture=LARGE, weights=str(tmp_path / "typo"))


@pytest.mark.parametrize("name", ["other.safetensors", "torn.safetensors", "torn.pth"])
def test_files_of_something_else_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"no")
    if name.startswith("other"):
        save_file({"pos_embed": torch.zeros(1, 257, 384)}, path)
    with pytest.raises(FridoError, match=SMALL):
        DINOv2(architecture=SMALL, weights=str(path))


def test_other_architectures_are_refused():
    with pytest.raises(FridoError, match=LARGE):
        DINOv2(architecture="vit_tiny_patch16_224", weights=None)
