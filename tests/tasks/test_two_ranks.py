"""A training step shared by two ranks has the gradients of the step that one rank takes alone."""

import torch

from tests.denoisers import options
from tests.tasks import two_ranks

SIZE = 8


def cases():
    gates = [{"gate": name} for name in options.names("denoiser/gate") if name != "spade_f16f8"]
    trunks = [{"trunk": name} for name in options.names("denoiser/trunk")]
    forcings = [{"teacher_forcing": name} for name in options.names("diffusion/teacher_forcing")]
    quotas = {"scales": "quotas", "teacher_forcing": "sampled_level"}
    return [*gates, *trunks, *forcings, {"resampling": "residual"}, {"checkpointing": True}, quotas]


def test_gradients(tmp_path):
    """For every gate, trunk and teacher forcing; no scale and no parameter is left out, or DDP would stop."""
    for choices, ranks in zip(cases(), two_ranks.gradients(tmp_path, cases(), size=SIZE), strict=True):
        alone = two_ranks.whole(choices, size=SIZE)
        for shared in ranks:
            assert shared.keys() == alone.keys(), choices
            for name, gradient in alone.items():
                torch.testing.assert_close(shared[name], gradient, atol=1e-5, rtol=1e-4, msg=f"{choices} {name}")
