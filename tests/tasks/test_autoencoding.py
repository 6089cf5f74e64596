"""The first stage as the engine sees it: phases, what they share, what they log, and that they learn."""

import copy
import signal
from functools import partial

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from frido.autoencoders.decoders.pixel_shuffle import PixelShuffleDecoder
from frido.autoencoders.encoders.pixel_unshuffle import PixelUnshuffleEncoder
from frido.autoencoders.losses.adversarial import AdversarialLoss
from frido.autoencoders.losses.hinge import Hinge
from frido.autoencoders.losses.l1 import L1
from frido.autoencoders.losses.patch_discriminator import PatchDiscriminator
from frido.autoencoders.losses.reconstruction import ReconstructionLoss
from frido.autoencoders.msvqgan import MSVQGAN
from frido.autoencoders.quantizers.ema_vq import EMAVectorQuantizer
from frido.contracts.batch import Annotations, Batch
from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.learning_rates.constant import Constant
from frido.engine.signals import Stopped
from frido.engine.trainer import Trainer
from frido.tasks.autoencoding import Autoencoding
from frido.tracking.jsonl import JsonlTracker
from tests.engine import toys

SIDE, BATCH, START = 32, 8, 16
RATE = 1e-3
SETTINGS = {"weights": None, "least_perplexity": 1.5, "judged_images": 2 * BATCH, "calibration_images": 64}


QUANTIZER = partial(EMAVectorQuantizer, num_codes=64, commitment=0.25, decay=0.9, revive_after=256)


def autoencoder(*, channels=4, quantizer=QUANTIZER):
    return MSVQGAN(
        factors=[8, 4],
        channels=channels,
        feature_channels=channels,
        encoder=partial(PixelUnshuffleEncoder, width=32, num_blocks=1),
        decoder=partial(PixelShuffleDecoder, width=32, num_blocks=1),
        fusion=partial(PixelShuffleDecoder, width=32, num_blocks=1),
        quantizer=quantizer,
        seed=0,
    )


def plain(**settings):
    loss = ReconstructionLoss(pixel=L1(), perceptual=None, auxiliary=None, latent_weight=1.0)
    return Autoencoding(autoencoder=autoencoder(), loss=loss, **(SETTINGS | settings)).train()


def adversarial():
    loss = AdversarialLoss(
        pixel=L1(),
        perceptual=None,
        auxiliary=None,
        latent_weight=1.0,
        discriminator=PatchDiscriminator(width=8, num_layers=2, norm=nn.BatchNorm2d, bias=False, seed=0),
        objective=Hinge(),
        start_images=START,
        weight=0.8,
        largest_weight=1e4,
    )
    return Autoencoding(autoencoder=autoencoder(), loss=loss, **SETTINGS).train()


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
        captions=torch.zeros(size, 0, dtype=torch.uint8),
        crops_xyxy=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(size, 4),
        mirrored=torch.zeros(size, dtype=torch.bool),
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
    shared = {"loss", "reconstruction", "l1", "latent_loss", "psnr"}
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
    """The reconstruction is handed over, not made again."""
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


class Stream:
    """Pictures by position; at position `spoil_at` they are no numbers, at `stop_at` the process is asked to stop."""

    def __init__(self, *, spoil_at=None, stop_at=None):
        self.spoil_at, self.stop_at = spoil_at, stop_at

    def at(self, images_seen):
        if images_seen == self.stop_at:
            signal.raise_signal(signal.SIGTERM)
        batch = batch_at(images_seen)
        return batch._replace(images=batch.images * float("nan")) if images_seen == self.spoil_at else batch


def trainer(directory, task, *, images=64, stream=None, **changes):
    optimizer = partial(torch.optim.Adam, lr=RATE)
    plan = {"images": images, "batch": BATCH, "micro_batch": None, "precision": "fp32", "clip_norm": None}
    plan |= {"optimizer": optimizer, "schedule": Constant(warmup_images=0), "averages": {}, "drawn_with": "raw"}
    plan |= {"checkpoint_every_images": 2 * BATCH, "picture_every_images": None}
    return Trainer(
        directory=directory,
        phases=task.phases(),
        model=task,
        stream=stream or Stream(),
        training=toys.settings(**(plan | changes)),
        tracker=JsonlTracker(directory=directory),
        device=torch.device("cpu"),
        max_loss=0,
        profile_steps=0,
    )


def collapse(task):
    """Make every latent of the finer scale the same from the second checkpoint on."""

    def forget(_, inputs):
        seen = int(task.autoencoder.quantizers[1].images_seen)
        return (inputs[0] * 0,) if seen >= 2 * BATCH else None

    task.autoencoder.quantizers[1].register_forward_pre_hook(forget)
    return task


def test_a_collapsed_codebook_stops_training_before_the_checkpoint(tmp_path):
    with pytest.raises(FridoError) as refused:
        trainer(tmp_path, collapse(plain())).run()
    told = str(refused.value)
    assert "codebook of scale 1 after 32 images" in told and "perplexity 1.00 of 64" in told and "ema_vq" in told
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [f"{2 * BATCH:012d}"]


def test_few_images_are_not_judged(tmp_path):
    """Then more of them are looked at together: here those before the collapse too."""
    trainer(tmp_path / "shorter", collapse(plain(judged_images=33)), images=32).run()
    trainer(tmp_path / "longer", collapse(plain(judged_images=33)), images=48).run()
    with pytest.raises(FridoError, match="over the last 32 images"):
        trainer(tmp_path, collapse(plain(judged_images=17)), images=64).run()


@pytest.mark.parametrize(("stop_at", "least"), [(16, 60.0), (40, 1.5)])
def test_an_interruption_changes_nothing_about_what_is_refused(tmp_path, stop_at, least):
    """The counts of the images before it are in its checkpoint."""
    plan = {"checkpoint_every_images": 32}
    with pytest.raises(FridoError) as whole:
        trainer(tmp_path / "whole", collapse(plain(least_perplexity=least)), **plan).run()
    with pytest.raises(Stopped):
        stream = Stream(stop_at=stop_at)
        trainer(tmp_path / "parts", collapse(plain(least_perplexity=least)), stream=stream, **plan).run()
    with pytest.raises(FridoError) as parts:
        trainer(tmp_path / "parts", collapse(plain(least_perplexity=least)), **plan).run()
    assert "over the last 32 images" in str(whole.value)
    assert str(parts.value) == str(whole.value)


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(tmp_path):
    task = plain()
    with pytest.raises(FridoError, match="loss=nan"):
        trainer(tmp_path, task, stream=Stream(spoil_at=40)).run()
    assert checkpoint.latest(tmp_path).name == f"{32:012d}"
    found = checkpoint.read(checkpoint.latest(tmp_path))
    assert all(tensor.isfinite().all() for tensor in found.weights.values())


def test_weights_to_start_from(tmp_path):
    source, file = autoencoder(), tmp_path / "weights.safetensors"
    with torch.no_grad():
        for tensor in source.parameters():
            tensor.add_(1)
    source.scale_factors.fill_(2)
    source.calibrated.fill_(True)
    save_file(source.state_dict(), file)
    started = plain(weights=str(file)).autoencoder
    torch.testing.assert_close(started.state_dict(), source.state_dict(), atol=0, rtol=0)
    assert started.calibrated


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_text("no weights"), "weights.safetensors: "),
        (lambda path: save_file(autoencoder(channels=3).state_dict(), path), "instead of"),
        (lambda path: save_file({"conv": torch.zeros(1)}, path), "more such tensors"),
        (lambda path: save_file(autoencoder().state_dict() | {"more": torch.zeros(1)}, path), "more, which it should"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, write, said):
    write(tmp_path / "weights.safetensors")
    with pytest.raises(FridoError, match=said) as refused:
        plain(weights=str(tmp_path / "weights.safetensors"))
    assert "first_stage.weights" in str(refused.value)
