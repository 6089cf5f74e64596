"""What is counted of codebooks, and when too little of one is used."""

from functools import partial

import pytest
import torch

from frido.autoencoders.quantizers.ema_vq import EMAVectorQuantizer
from frido.autoencoders.quantizers.none import NoQuantizer
from frido.autoencoders.quantizers.residual import ResidualQuantizer
from frido.contracts.errors import FridoError
from frido.tasks.codebook_use import CodebookUse, perplexity, usage
from tests.tasks.test_autoencoding import autoencoder


def test_use_of_several_codebooks_by_hand():
    inner = partial(EMAVectorQuantizer, num_codes=8, commitment=0.25, decay=0.9, revive_after=256)
    use = CodebookUse(autoencoder(quantizer=[partial(ResidualQuantizer, quantizer=inner, depth=2), NoQuantizer]))
    first, second = torch.tensor([[0, 0, 1, 1, 2, 2, 3, 3], [5, 5, 5, 5, 5, 5, 5, 6]])
    codes = torch.stack([first, second]).reshape(1, 2, 2, 4)
    counts = use.count((codes, torch.zeros(1, 0, 1, 1, dtype=torch.long)))
    assert counts.keys() == {0}, "a scale without codebooks has nothing to count"
    entropy = -(7 / 8) * torch.tensor(7 / 8).log() - (1 / 8) * torch.tensor(1 / 8).log()
    expected = torch.stack([torch.tensor(4.0), entropy.exp()]).double()
    torch.testing.assert_close(perplexity(counts[0]), expected, atol=1e-6, rtol=0)
    assert usage(counts[0]).tolist() == [4 / 8, 2 / 8]
    use.add(counts, images=3)
    use.add(counts, images=3)
    assert use.counts[0][1, 5] == 14 and use.images == 6
    with pytest.raises(FridoError, match="codebook 1 of scale 0"):
        use.check(least=1.5, images_seen=6)
    use.check(least=1.4, images_seen=6)
    use.reset()
    assert use.counts[0].sum() == use.images == 0


def test_one_code_alone_has_perplexity_1():
    assert perplexity(torch.tensor([[0, 9, 0]])).item() == 1, "and passes least_perplexity=1"
