"""Number formats, memory formats and fused optimizers: other ways to compute a step, each exact when resumed."""

import json
from functools import partial

import pytest
import torch

from frido.cli.build import build
from frido.cli.compose import compose
from frido.engine import checkpoint, optimizer_state, precision
from tests.engine.toys import BATCH, Generating, ToyStream, ToyTask, trainer

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
FUSED = partial(torch.optim.AdamW, lr=1e-2, weight_decay=0.1, fused=True)


class CrashError(Exception):
    """A power cut."""


pytestmark = pytest.mark.usefixtures("one_thread")


def crash(images_seen: int) -> None:
    if images_seen == 6 * BATCH:
        raise CrashError


def assert_resumes_to_the_bit(directory, make=ToyTask, **changes):
    """Also where the crash falls between checkpoints, which are of 4 steps each."""
    trainer(directory / "quiet", task=make(), **changes).run()
    with pytest.raises(CrashError):
        trainer(directory / "run", task=make(), stream=ToyStream(at_start=crash), **changes).run()
    assert checkpoint.latest(directory / "run").name == f"{4 * BATCH:012d}"
    trainer(directory / "run", task=make(), **changes).run()
    one, other = checkpoint.latest(directory / "quiet"), checkpoint.latest(directory / "run")
    for file in sorted(one.iterdir()):
        assert file.read_bytes() == (other / file.name).read_bytes(), file.name
    assert (directory / "quiet" / "metrics.jsonl").read_text() == (directory / "run" / "metrics.jsonl").read_text()


def lines(directory) -> list[dict[str, float]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


class Overflowing(Generating):
    """Its loss is so large in one step that half precision has no number for the gradient; without noise in others."""

    def forward(self, batch):
        losses = super().forward(batch)
        return losses | {"loss": losses["loss"] * (1e6 if 3 * BATCH in batch.positions else 1e-3)}


@pytest.mark.parametrize("optimizer", [FUSED, partial(torch.optim.AdamW, lr=1e-2)], ids=["fused", "plain"])
def test_an_overflow_lowers_the_scale_and_leaves_the_weights(tmp_path, optimizer):
    task = ToyTask()
    one = trainer(tmp_path, task=task, phases=[Overflowing(task)], precision="fp16", optimizer=optimizer)
    (optimization,) = one.optimizations.values()
    for step in range(5):
        before = {name: tensor.clone() for name, tensor in task.state_dict().items() if name != "generator.seen"}
        tensors = optimizer_state.take(optimization.optimizer)[0]
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
        scale = optimization.scaler.get_scale()
        logged = optimization.step(ToyStream().at(step * BATCH), images_seen=step * BATCH)
        assert logged["generator/loss_scale"] == optimization.scaler.get_scale()
        overflowed = step == 3
        assert optimization.scaler.get_scale() == (scale / 2 if overflowed else scale)
        assert all(torch.equal(task.state_dict()[name], tensor) for name, tensor in before.items()) == (
            overflowed or step == 0  # the first step of a warm-up has rate 0
        )
        if overflowed:
            now = optimizer_state.take(optimization.optimizer)[0]
            assert all(torch.equal(now[name], tensor) for name, tensor in tensors.items())
            assert "generator/gradient_norm" not in logged


def test_half_precision_resumes_with_its_scale(tmp_path):
    assert_resumes_to_the_bit(tmp_path, precision="fp16")
    scales = [line["generator/loss_scale"] for line in lines(tmp_path / "run")]
    state = json.loads((checkpoint.latest(tmp_path / "run") / "state.json").read_text())
    assert state["scalers"]["generator"]["scale"] == scales[-1]


def test_a_lowered_scale_is_remembered(tmp_path):
    def task_of(directory, **changes):
        task = ToyTask()
        return trainer(directory, task=task, phases=[Overflowing(task)], precision="fp16", **changes)

    task_of(tmp_path / "quiet").run()
    with pytest.raises(CrashError):
        task_of(tmp_path / "run", stream=ToyStream(at_start=crash)).run()
    resumed = task_of(tmp_path / "run")
    resumed.restore()
    assert resumed.optimizations["generator"].scaler.get_scale() == 2**15
    resumed.run()
    assert lines(tmp_path / "run") == lines(tmp_path / "quiet")


@pytest.mark.parametrize("name", precision.PRECISIONS)
def test_products_are_of_the_format_and_weights_are_not(name):
    linear = torch.nn.Linear(4, 4)
    with precision.autocast(name, torch.device("cpu")):
        assert linear(torch.ones(1, 4)).dtype == (precision.TYPES[name] or torch.float32)
    assert linear.weight.dtype == torch.float32
    assert precision.scaler(name, torch.device("cpu")).is_enabled() == (name == "fp16")


def test_tf32_is_switched_both_ways():
    places = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    before = [place.fp32_precision for place in places]
    try:
        for allowed, said in ((True, "tf32"), (False, "ieee"), (True, "tf32")):
            precision.allow_tf32(allowed)
            assert [place.fp32_precision for place in places] == [said, said]
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value


def channels_last() -> ToyTask:
    return ToyTask().to(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_channels_last_resumes_to_the_bit(tmp_path, name):
    """With an optimizer that walks along memory, where the order is another than in files."""
    assert_resumes_to_the_bit(tmp_path, make=channels_last, optimizer=FUSED, precision=name)


def test_state_comes_back_in_the_order_of_its_parameter(tmp_path):
    task = channels_last()
    one = trainer(tmp_path, task=task, optimizer=FUSED, images=BATCH)
    one.run()
    again = trainer(tmp_path, task=channels_last(), optimizer=FUSED, images=BATCH)
    again.restore()
    for name, optimization in again.optimizations.items():
        for parameter, entries in optimization.optimizer.state.items():
            for key in ("exp_avg", "exp_avg_sq"):
                assert entries[key].stride() == parameter.stride(), (name, key)
        assert any(not parameter.is_contiguous() for parameter in optimization.parameters)


def test_memory_format_changes_only_rounding(tmp_path):
    """Without dropout, which is drawn along memory."""
    found = []
    for index, memory_format in enumerate((torch.contiguous_format, torch.channels_last)):
        task = ToyTask(dropout=0.0).to(torch.float64, memory_format=memory_format)
        changes = {"precision": "fp32", "optimizer": FUSED, "micro_batch": None}
        trainer(tmp_path / str(index), task=task, stream=ToyStream(dtype=torch.float64), **changes).run()
        found.append(task.state_dict())
    torch.testing.assert_close(*found, atol=1e-9, rtol=0)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, ON_GPU])])
@pytest.mark.parametrize("stage", ["autoencoder", "denoiser"])
def test_default_optimizers_are_fused_and_plain_ones_agree(stage, device):
    node = compose("run", [])["training"][stage]["optimizer"]
    assert node["fused"] is True
    found = []
    for fused in (True, False):
        module = ToyTask().generator.to(device, torch.float64)
        optimizer = build(node | {"fused": fused})(list(module.parameters()))
        assert all(group["fused"] == fused for group in optimizer.param_groups)
        for step in range(3):
            for place, parameter in enumerate(module.parameters()):
                parameter.grad = torch.full_like(parameter, 0.1 * (step - place))
            optimizer.step()
        found.append(dict(module.named_parameters()))
    torch.testing.assert_close(*found, atol=1e-12, rtol=0)
    assert not torch.equal(found[0]["0.weight"].cpu(), ToyTask().generator[0].weight.double())
