"""The codebook alone: quantised maps, losses and both gradients, with the weight on either term."""

import pytest
import torch

from frido.autoencoders.quantizers.vq import VectorQuantizer
from tests.parity import golden


@pytest.mark.parametrize("path", golden.cases("taming.modules.vqvae.quantize.VectorQuantizer2"))
@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("case", ["mid", "wide"])
def test_vector_quantizer(path, legacy, case):
    pair = golden.load(path)
    config, prefix = pair.config, f"legacy_{legacy}/{case}"
    quantizer = VectorQuantizer(
        channels=config["e_dim"], num_codes=config["n_e"], commitment=config["beta"], legacy=legacy
    )
    quantizer.load_state_dict({"codebook": pair[f"{prefix}/codebook"]})
    latents = pair[f"{prefix}/z"].clone().requires_grad_()
    made = quantizer(latents)
    assert torch.equal(made.codes.flatten(), pair[f"{prefix}/indices"])
    torch.testing.assert_close(made.latents, pair[f"{prefix}/zq"], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(made.loss, pair[f"{prefix}/loss"], rtol=1e-5, atol=0)
    ((made.latents * pair[f"{prefix}/w"]).sum() + made.loss).backward()
    torch.testing.assert_close(latents.grad, pair[f"{prefix}/grad_z"], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(quantizer.codebook.grad, pair[f"{prefix}/grad_codebook"], atol=1e-6, rtol=1e-4)
