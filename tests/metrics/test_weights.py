import shutil

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.data.sources.scenes import RENDERER
from frido.metrics import finder
from frido.metrics.features import scenes
from frido.metrics.weights import digest_file, read_weights, write_weights


def test_round_trip_keeps_values_and_description(tmp_path):
    path = tmp_path / "net.safetensors"
    state = {"weight": torch.randn(3, 4), "steps": torch.tensor(7)}
    sha256 = write_weights(path, state, {"words": ["a", "b"], "resolution": 64})
    read, about, same = read_weights(path)
    assert about == {"words": ["a", "b"], "resolution": 64}
    assert same == sha256
    assert read["weight"].dtype == torch.float32
    torch.testing.assert_close(read["weight"], state["weight"], rtol=1e-3, atol=1e-4)
    assert read["steps"] == 7


@pytest.mark.parametrize("shipped", [finder.WEIGHTS, scenes.WEIGHTS], ids=["judge", "features"])
def test_one_flipped_bit_in_shipped_weights_is_noticed(shipped, tmp_path):
    path = tmp_path / shipped.name
    shutil.copy(shipped, path)
    shutil.copy(digest_file(shipped), digest_file(path))
    read_weights(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(FridoError, match="SHA-256"):
        read_weights(path)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(FridoError, match=r"nothing\.safetensors"):
        read_weights(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("shipped", [finder.WEIGHTS, scenes.WEIGHTS], ids=["judge", "features"])
def test_shipped_weights_were_trained_on_what_is_rendered_today(shipped):
    assert read_weights(shipped)[1]["renderer"] == RENDERER
