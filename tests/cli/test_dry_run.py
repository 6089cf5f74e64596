"""A dry run says what a run would need, on any number of machines, and leaves nothing behind."""

from functools import partial
from pathlib import Path

import pytest
import torch

from frido.cli import dry_run
from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.dry_run import dataset, disk, page, run, sampling, stage
from frido.cli.schema import check
from frido.cli.second_stage import build_task
from frido.data.latents import LatentTable
from frido.engine.counting import memory
from frido.engine.counting.without_values import WithoutWeights
from frido.run import main
from tests.conditioning import given
from tests.conf.menu import GROUPS
from tests.engine import toys

CPU = torch.device("cpu")
SCENES = ("data=scenes", "metrics=scenes")
QUICK = ("ldm_inpainting",)


def said(capsys, *overrides: str) -> tuple[int, str]:
    """Return the exit code of a dry run and what it prints."""
    code = main([*overrides, "size=tiny", "engine.dry_run=true"])
    return code, capsys.readouterr().out


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_recipe_with_data(capsys, desk):
    code, told = said(capsys, "experiment=vg_sg2im", *SCENES)
    assert code == 0, told
    assert "nothing wrong" in told and "8192 training images" in told
    for line in ("parameters: denoiser", "an image, denoiser: backward", "drawing one image", "one checkpoint"):
        assert line in told
    assert not list(desk.iterdir())


def test_thirty_two_gpus_and_data_that_are_not_there(capsys):
    code, told = said(
        capsys, "experiment=vg_sg2im", "hardware=ddp", "hardware.nodes=4", "size.batch=64", "size.autoencoder_batch=32"
    )
    assert code == 1
    assert "python -m frido.pack source=visual_genome source.root=DIR out=datasets/vg_sg2im" in told
    assert "assumed: 180 categories" in told and "denoiser: " in told  # and goes on
    assert "32 processes on cuda (4 x 8, bf16)" in told and "64 = 32 x 1 x 2" in told
    assert "memory: exchange of gradients" in told and "largest micro-batch on 24 GB" in told
    assert "1 thing wrong" in told


def test_a_batch_that_cannot_be_shared(capsys):
    assert main(["hardware=ddp", "hardware.devices=7", "engine.dry_run=true"]) == 2


def test_a_file_that_is_not_there(capsys, monkeypatch):
    monkeypatch.setattr(run, "_first_stage", lambda config, looked, problems: [])
    monkeypatch.setattr(run, "_second_stage", lambda config, looked: [])
    code, told = said(capsys, *SCENES, "training.denoiser.init_from=nowhere")
    assert code == 1 and "1. training.denoiser.init_from" in told


def test_a_full_disk_and_a_small_machine(capsys, monkeypatch):
    monkeypatch.setattr(run, "_second_stage", lambda config, looked: [])
    monkeypatch.setattr(disk, "free", lambda root: 2**20)
    monkeypatch.setattr(disk, "memory_of_machine", lambda device: 100 * 2**20)
    large = (*SCENES, "size.autoencoder_batch=64")
    code, told = said(capsys, *large)
    assert code == 1
    assert "1. run.root=runs" in told and "2. memory of the training of autoencoder" in told
    setting = next(line for line in told.splitlines() if "do:     training.autoencoder.micro_batch=" in line)
    monkeypatch.setattr(disk, "free", lambda root: 2**40)
    code, told = said(capsys, *large, setting.split()[1])
    assert code == 0, told


@pytest.mark.parametrize(
    "experiment",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in GROUPS["experiment"]],
)
def test_every_experiment(experiment, desk):
    clip = [f"conditioning.folder={given.clip(desk)}"] if experiment == "coco_t2i_clip" else []
    config = compose("run", [f"experiment={experiment}", "size=tiny", *clip])
    check(config)
    looked, problems = dataset.look(config), []
    stages = [*run._first_stage(config, looked, problems), *run._second_stage(config, looked)]
    assert not problems and [found.name for found in stages] == ["autoencoder", "denoiser"]
    assert all(cost.backward > cost.forward > 0 for found in stages for cost in found.phases)
    assert all(found.bytes_at(found.micro) > sum(found.standing) > 0 for found in stages)
    page.show(config, looked, stages, problems)


def test_a_network_that_cannot_be_had(capsys, monkeypatch):
    monkeypatch.setattr(run, "_second_stage", lambda config, looked: [])
    parts = ("autoencoder/loss=adversarial", "autoencoder/loss/perceptual=lpips")
    code, told = said(capsys, *SCENES, *parts, "first_stage.loss.perceptual.trunk=nowhere")
    assert code == 1 and "1. first_stage.loss.perceptual" in told
    assert "autoencoder: counted without its perceptual network" in told
    assert "an image, discriminator: forward" in told


@pytest.mark.slow
@pytest.mark.parametrize("size", ["small", "paper"])
@pytest.mark.parametrize("experiment", [name for name in GROUPS["experiment"] if name != "coco_t2i_clip"])
def test_every_experiment_at_every_size(experiment, size):
    config = compose("run", [f"experiment={experiment}", f"size={size}", "hardware=ddp", "run.root=/"])
    check(config)
    assert dry_run.report(config) in (0, 1)


def test_drawing_costs_what_its_steps_do():
    config = compose("run", [*SCENES, "diffusion/sampler=ddim"])
    looked = dataset.look(config)
    with WithoutWeights():
        autoencoder = build(config["autoencoder"])
        task = build_task(config, autoencoder=autoencoder, vocabulary=looked.known.vocabulary)
    batch = stage._batch(config, looked.dataset.reading, looked.known, 2, first=0)._replace(images=None)

    def drawn(steps: int, weight: float) -> int:
        config["diffusion"]["sampler"]["steps"], config["diffusion"]["guidance"]["weight"] = steps, weight
        return sampling.cost(task, autoencoder, batch, config, device=CPU, together=8).operations

    two, four, five = (drawn(steps, 1.0) for steps in (2, 4, 5))
    assert four - two == 2 * (five - four) > 0
    assert drawn(4, 2.0) - drawn(2, 2.0) == 2 * (four - two)


def test_a_checkpoint_is_as_large_as_said(tmp_path):
    trainer = toys.trainer(tmp_path, optimizer=partial(torch.optim.AdamW, lr=1e-3), task=wide())
    trainer.run()
    written = max((tmp_path / "checkpoints").iterdir())
    standing = memory.standing(
        trainer.model, trainer.phases, averages=1, optimizer=trainer.training.optimizer, world_size=1
    )
    found = disk.space(trainer.model, standing, trainer.training)
    size = sum(file.stat().st_size for file in written.iterdir())
    assert found.checkpoint == pytest.approx(size, rel=0.03)
    assert found.kept == 4 * found.checkpoint  # three, and the next one


def wide() -> toys.ToyTask:
    task = toys.ToyTask()
    task.generator[0], task.generator[3] = torch.nn.Conv2d(3, 256, 9, padding=4), torch.nn.Conv2d(256, 3, 9, padding=4)
    return task


def test_latents_are_as_large_as_said(tmp_path):
    batch = toys.ToyStream(batch=512).at(0)
    batch = batch._replace(images=None, pyramid=(torch.zeros(512, 4, 8, 8),), view=torch.zeros(512, 1, 8, 8))
    LatentTable.join([batch]).save(tmp_path / "table")
    assert disk.table(batch, 512) == pytest.approx((tmp_path / "table").stat().st_size, rel=0.05)
