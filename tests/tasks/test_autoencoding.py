"""The first stage as the engine sees it: phases, what they share, what they log, and that they learn."""

import copy
from functools import partial

import pytest
import torch

from frido.autoencoders.decoders.pixel_shuffle import PixelShuffleDecoder
from frido.autoencoders.encoders.pixel_unshuffle import PixelUnshuffleEncoder
from frido.autoencoders.losses.adversarial import AdversarialLoss
from frido.autoencoders.losses.patch_discriminator import PatchDiscriminator
from frido.autoencoders.losses.reconstruction import ReconstructionLoss
from frido.autoencoders.msvqgan import MSVQGAN
from frido.autoencoders.quantizers.ema_vq import EMAVectorQuantizer
from frido.contracts.batch import Annotations, Batch
from frido.tasks.autoencoding import Autoencoding, codebook_use, psnr

SIDE, BATCH, START = 32, 8, 16
RATE = 1e-3


def autoencoder():
    return MSVQGAN(
        num_scales=2,
        channels=4,
        encoder=partial(PixelUnshuffleEncoder, width=32, factor=4, num_blocks=1),
        decoder=partial(PixelShuffleDecoder, width=32, factor=4, num_blocks=1),
        fusion=partial(PixelShuffleDecoder, width=32, factor=1, num_blocks=1),
        quantizer=partial(EMAVectorQuantizer, num_codes=64, commitment=0.25, decay=0.9, revive_after=256),
        seed=0,
    )


def plain():
    return Autoencoding(
        autoencoder=autoencoder(), loss=ReconstructionLoss(codebook_weight=1.0, perceptual=None)
    ).train()


def adversarial():
    loss = AdversarialLoss(
        codebook_weight=1.0,
        perceptual=None,
        discriminator=PatchDiscriminator(width=8, num_layers=2, seed=0),
        start_images=START,
        weight=0.8,
    )
    return Autoencoding(autoencoder=autoencoder(), loss=loss).train()


def pictures(count):
    """Return images of one coloured rectangle each on a grey ground."""
    random = torch.Generator().manual_seed(0)
    images = torch.empty(count, 3, SIDE, SIDE)
    for image in images:
        image[:] = torch.rand(1, generator=random) - 0.5
        left, top = torch.randint(0, SIDE // 2, (2,), generator=random).tolist()
        image[:, top : top + SIDE // 2, left : left + SIDE // 2] = torch.rand(3, 1, 1, generator=random) * 2 - 1
    return images


IMAGES = pictures(64)


def batch_at(images_seen, size=BATCH):
    positions = torch.arange(images_seen, images_seen + size)
    none = Annotations(
        categories=torch.zeros(size, 0, dtype=torch.long),
        attributes=torch.zeros(size, 0, 0, dtype=torch.long),
        boxes_xyxy=torch.zeros(size, 0, 4),
        relationships=torch.zeros(size, 0, 3, dtype=torch.long),
    )
    rows = positions.remainder(len(IMAGES))
    ids = tuple(f"{row:06d}" for row in rows.tolist())
    return Batch(IMAGES[rows], none, ids, positions, torch.ones(size, dtype=torch.bool))


def train(task, *, steps, start=0, precision=torch.float32):
    """Return the logged values of each step, phases in turn, as the engine does it."""
    phases = task.phases()
    optimizers = [torch.optim.Adam(phase.trained(), lr=RATE) for phase in phases]
    logged = []
    for step in range(steps):
        values = {}
        batch = batch_at(start + step * BATCH)
        for phase, optimizer in zip(phases, optimizers, strict=True):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
                losses = phase(batch)
            losses["loss"].backward()
            optimizer.step()
            values |= {f"{phase.name}/{name}": float(value.detach()) for name, value in losses.items()}
        logged.append(values)
    return logged


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_training_on_a_few_images_learns_them(precision):
    logged = train(plain(), steps=120, precision=precision)
    assert logged[-1]["autoencoder/l1"] < 0.6 * logged[0]["autoencoder/l1"]
    assert logged[-1]["autoencoder/psnr"] > logged[0]["autoencoder/psnr"] + 4
    assert logged[-1]["autoencoder/perplexity_1"] > 8


def test_what_is_logged():
    shared = {"loss", "reconstruction", "l1", "codebook_loss", "psnr"}
    shared |= {f"{name}_{scale}" for name in ("perplexity", "usage") for scale in (0, 1)}
    (one,) = plain().phases()
    values = one(batch_at(0))
    assert set(values) == shared
    assert all(value.shape == () for value in values.values())
    first, second = adversarial().phases()
    for images_seen in (0, START):
        assert set(first(batch_at(images_seen))) == shared | {"adversarial", "adaptive_weight"}
        assert set(second(batch_at(images_seen))) == {"loss", "logits_real", "logits_made"}


def test_every_parameter_is_trained_by_exactly_one_phase():
    task = adversarial()
    trained = [id(parameter) for phase in task.phases() for parameter in phase.trained()]
    assert sorted(trained) == sorted(id(parameter) for parameter in task.parameters())
    for phase in task.phases():
        assert {id(p) for p in phase.parameters()} == {id(p) for p in phase.trained()}, "DDP sees what it trains only"


def test_discriminator_is_idle_before_its_start():
    task = adversarial()
    before = copy.deepcopy(task.loss.opponent.state_dict())
    train(task, steps=START // BATCH)
    assert all(torch.equal(tensor, before[name]) for name, tensor in task.loss.opponent.state_dict().items())
    logged = train(task, steps=1, start=START)
    assert logged[0]["autoencoder/adaptive_weight"] > 0
    changed = {n for n, tensor in task.loss.opponent.named_parameters() if not torch.equal(tensor, before[n])}
    # The last bias has no gradient while all logits are within the margins: both hinges pull equally.
    assert changed >= {name for name in before if name.endswith("weight")}


def test_discriminator_sees_what_the_autoencoder_just_made():
    """The reconstruction is handed over, not made again; a phase that runs alone makes its own."""
    task = adversarial()
    calls = []
    task.autoencoder.decoder.register_forward_hook(lambda *_: calls.append(1))
    first, second = task.phases()
    parts = [batch_at(START).rows(0, 4), batch_at(START).rows(4, 8)]
    for part in parts:  # micro-batches: all of one phase, then all of the next
        first(part)
    assert len(first.handover) == 2
    for part in parts:
        second(part)
    assert len(calls) == 2
    assert not first.handover
    before = copy.deepcopy(task.autoencoder.state_dict())
    assert second(parts[0])["loss"].requires_grad
    assert len(calls) == 3
    assert all(torch.equal(tensor, before[name]) for name, tensor in task.autoencoder.state_dict().items())


def test_nothing_is_kept_for_an_idle_discriminator():
    first, _ = adversarial().phases()
    first(batch_at(0))
    assert not first.handover


@pytest.mark.parametrize("make", [plain, adversarial])
def test_training_is_a_function_of_position_alone(make):
    """Twice N steps equal 2N steps bit for bit, whatever the global generator does in between."""
    whole = make()
    torch.manual_seed(1)
    expected = train(whole, steps=6)
    task = make()
    phases = task.phases()
    optimizers = [torch.optim.Adam(phase.trained(), lr=RATE) for phase in phases]
    found = []
    for step in range(6):
        if step == 3:  # everything through its state, into new objects
            states = copy.deepcopy([task.state_dict(), *(optimizer.state_dict() for optimizer in optimizers)])
            task = make()
            task.load_state_dict(states[0])
            phases = task.phases()
            optimizers = [torch.optim.Adam(phase.trained(), lr=RATE) for phase in phases]
            for optimizer, state in zip(optimizers, states[1:], strict=True):
                optimizer.load_state_dict(state)
        torch.manual_seed(step + 100)
        values = {}
        for phase, optimizer in zip(phases, optimizers, strict=True):
            optimizer.zero_grad()
            losses = phase(batch_at(step * BATCH))
            losses["loss"].backward()
            optimizer.step()
            values |= {f"{phase.name}/{name}": float(value.detach()) for name, value in losses.items()}
        found.append(values)
    assert found == expected
    assert all(torch.equal(tensor, whole.state_dict()[name]) for name, tensor in task.state_dict().items())


def test_psnr_by_hand():
    images = torch.zeros(2, 3, 4, 4)
    made = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 5.0)])
    torch.testing.assert_close(psnr(made, images), torch.tensor([20.0, 6.0206]), atol=1e-4, rtol=0)


def test_codebook_use_by_hand():
    codes = torch.tensor([[[0, 0, 1, 1], [2, 2, 3, 3]]])
    perplexity, usage = codebook_use(codes, num_codes=8)
    assert perplexity.item() == pytest.approx(4)
    assert usage.item() == pytest.approx(0.5)
    assert codebook_use(torch.zeros_like(codes), num_codes=8)[0].item() == pytest.approx(1)
