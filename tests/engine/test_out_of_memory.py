"""Memory that runs out is explained by settings that fit, and they do."""

import re
import subprocess
import sys

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.engine import out_of_memory
from frido.engine.out_of_memory import explained, is_out_of_memory
from tests.engine import toys

CPU = torch.device("cpu")

PROGRAM = """
import resource, sys
from functools import partial
from pathlib import Path
import torch
from torch import nn
from frido.contracts.errors import FridoError
from frido.engine.out_of_memory import explained
sys.path.insert(0, sys.argv[1])
import toys

torch.set_num_threads(1)
task = toys.ToyTask(dropout=0.0)
layers = [nn.Conv2d(3, 512, 1), nn.SiLU(), nn.Conv2d(512, 64, 1), nn.Conv2d(64, 512, 1), nn.SiLU()]
task.generator = nn.Sequential(*layers, nn.Conv2d(512, 3, 1))
task.generator.register_buffer("seen", torch.zeros(()))
trainer = toys.trainer(
    Path(sys.argv[2]), task=task, stream=toys.ToyStream(batch=1024), batch=1024, images=1024,
    micro_batch=int(sys.argv[3]), precision="fp32",
)
batch = trainer.stream.at(0)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 500 * 2**20,) * 2)
optimizers = [one.optimizer for one in trainer.optimizations.values()]
try:
    with explained(
        trainer.phases, optimizers=optimizers, training=trainer.training, batch=batch, device=torch.device("cpu")
    ):
        for optimization in trainer.optimizations.values():
            optimization.step(batch, images_seen=0)
except FridoError as error:
    print(error)
else:
    print("trained")
"""


def tried(folder, micro):
    """Return what a training of 500 MB says, with so many images at a time."""
    place = str(toys.__file__).rpartition("/")[0]
    command = [sys.executable, "-c", PROGRAM, place, str(folder), str(micro)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory as Linux does")
def test_what_is_advised_fits(tmp_path):
    told = tried(tmp_path, 1024)
    assert "memory of cpu in the training of generator" in told and "with micro_batch=1024" in told
    assert "hardware.precision=bf16 takes" in told
    advised = int(re.search(r"training\.generator\.micro_batch=(\d+) takes", told)[1])
    assert 64 <= advised < 1024 and 1024 % advised == 0
    assert tried(tmp_path, advised) == "trained\n"


def refused(monkeypatch, error, *, room=2**30, **changes):
    """Return the refusal of a step that ran into `error` with so many bytes left."""
    monkeypatch.setattr(out_of_memory, "room", lambda device: room)
    task = toys.ToyTask()
    phases, training = task.phases(), toys.settings(**changes)
    optimizers = [training.optimizer(list(phase.trained())) for phase in phases]
    batch = toys.ToyStream().at(0)
    with (
        pytest.raises(FridoError) as found,
        explained(phases, optimizers=optimizers, training=training, batch=batch, device=CPU),
    ):
        raise error
    return found.value


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_every_way_to_run_out(monkeypatch, error):
    found = refused(monkeypatch, error, micro_batch=4)
    assert "micro_batch=4 a step takes" in found.got
    assert "training.generator.micro_batch=2 takes" in found.do and "averages" in found.do
    assert "bf16" not in found.do  # it is that already


def test_what_does_not_fit_is_not_advised(monkeypatch):
    found = refused(monkeypatch, MemoryError(), room=2**27, micro_batch=None, averages={}, drawn_with="raw")
    assert found.do.startswith("take a smaller model")


def test_checkpointing_is_advised_with_what_it_saves(monkeypatch):
    def forward(self, batch):
        run = torch.utils.checkpoint.checkpoint if self.checkpointing else lambda layers, inputs, **_: layers(inputs)
        return {"loss": run(self.generator, batch.images, use_reentrant=False).square().mean()}

    monkeypatch.setattr(toys.Generating, "forward", forward)
    monkeypatch.setattr(toys.Generating, "checkpointing", False, raising=False)
    found = refused(monkeypatch, MemoryError(), precision="fp32")
    sizes = re.search(r"denoiser\.checkpointing=true takes ([\d.]+) MB instead of ([\d.]+) MB", found.do)
    assert float(sizes[1]) < float(sizes[2])
    assert "hardware.precision=bf16 takes" in found.do


def test_other_errors_pass():
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    training, phases = toys.settings(), toys.ToyTask().phases()
    with (
        pytest.raises(RuntimeError, match="shape mismatch"),
        explained(phases, optimizers=[], training=training, batch=toys.ToyStream().at(0), device=CPU),
    ):
        raise RuntimeError("shape mismatch")
