"""Every recorded pair is read by some test, or waits by name; a kind that nobody knows is an error."""

from pathlib import Path

import pytest
import torch

from tests.parity import golden


@pytest.mark.parametrize("path", golden.paths() or golden.cases(""), ids=lambda path: path.stem if path else "none")
def test_kind_is_known(path):
    kind = next((prefix for prefix in golden.KINDS if golden.official(path).startswith(prefix)), None)
    assert kind is not None, f"{path.name}: nothing here understands {golden.official(path)!r}"
    reader = golden.KINDS[kind]
    if reader is golden.PENDING:
        pytest.skip(f"pending: {kind}")
    assert (Path(__file__).parent / f"{reader}.py").is_file()


@pytest.mark.parametrize("path", golden.cases("frido.modules.diffusionmodules.pyunet", "taming.models.msvqgan"))
def test_stored_weights_follow_the_recipe(path):
    """What is stored and what the recipe makes must be one thing, or files without weights test nothing."""
    pair = golden.load(path)
    for key, stored in list(pair.weights.items())[:40]:
        made = torch.from_numpy(golden.recipe(key, tuple(stored.shape)))
        torch.testing.assert_close(made, stored, atol=1e-7, rtol=1e-6, msg=f"{pair.name}: {key}")
