"""How much a configuration's second stage has of something."""

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from frido.cli.build import build
from frido.cli.dry_run import stage
from frido.cli.dry_run.dataset import Looked, scenes
from frido.cli.second_stage import build_task
from frido.cli.session import untrained
from frido.contracts.batch import Batch
from frido.engine.counting.without_values import WithoutWeights
from frido.engine.freezing import freeze
from frido.engine.precision import autocast

WARM, STEPS, SECONDS = 2, 5, 3.0
"""Steps that are not timed; least steps that are, and how long they are repeated."""


def parameters(config: Mapping[str, Any], looked: Looked) -> float:
    """Return the trained parameters of the denoiser."""
    with WithoutWeights():
        task, _ = _built(config, looked)
    _frozen(task, config)
    return float(sum(parameter.numel() for parameter in task.denoiser.parameters() if parameter.requires_grad))


def flops(config: Mapping[str, Any], looked: Looked) -> float:
    """Return the floating-point operations of a training step, for one image."""
    with WithoutWeights():
        task, autoencoder = _built(config, looked)
    training = build(config["training"]["denoiser"])
    counted = stage.of_second(config, task, autoencoder, training, looked.dataset, looked.known)
    return float(sum(phase.forward + phase.backward for phase in counted.phases))


def seconds(config: Mapping[str, Any], looked: Looked) -> float:
    """Return the seconds of a training step for one image, of latents that are there: the fastest of some."""
    device, threads = torch.device(config["hardware"]["device"]), config["hardware"]["threads"]
    if threads is not None:
        torch.set_num_threads(threads)
    task, autoencoder = _built(config, looked)
    training = _frozen(task, config)
    _, micro = training.split(config["hardware"]["devices"] * config["hardware"]["nodes"])
    batch = _batch(task, autoencoder, looked, config["size"]["resolution"], micro).to(device)
    phases = [phase.to(device).train() for phase in task.phases()]
    taken: list[float] = []
    while len(taken) < WARM + STEPS or sum(taken) < SECONDS:
        before = time.perf_counter()
        for phase in phases:
            with autocast(training.precision, device):
                loss = phase(batch)["loss"]
            loss.backward()
            phase.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - before)
    return min(taken[WARM:]) / micro


AMOUNTS = {"parameters": parameters, "flops": flops, "time": seconds}


def coarsest_norm(config: Mapping[str, Any], looked: Looked) -> float:
    """Return the most channels that any group norm of the denoiser takes together."""
    with WithoutWeights():
        task, _ = _built(config, looked)
    norms = [module for module in task.denoiser.modules() if isinstance(module, nn.GroupNorm)]
    return max((norm.num_channels / norm.num_groups for norm in norms), default=0.0)


def _built(config: Mapping[str, Any], looked: Looked) -> tuple[Any, Any]:
    autoencoder = build(untrained(config["autoencoder"]))
    return build_task(config, autoencoder=autoencoder, vocabulary=looked.known.vocabulary), autoencoder


def _frozen(task: Any, config: Mapping[str, Any]) -> Any:
    """Freeze what is not trained; return the training."""
    training = build(config["training"]["denoiser"])
    freeze(task, task.phases(), training.frozen)
    return training


@torch.no_grad()
def _batch(task: Any, autoencoder: Any, looked: Looked, side: int, count: int) -> Batch:
    """Return a batch of noise, encoded by an untrained first stage."""
    known = looked.known
    told = looked.dataset.reading.collate(scenes(known.vocabulary, count), known.vocabulary, torch.arange(count))
    images = told._replace(
        images=torch.rand(count, 3, side, side) * 2 - 1,
        segmentation=torch.zeros(count, side, side, dtype=torch.int16) if known.segmented else None,
    )
    autoencoder.eval()
    pyramid = tuple(autoencoder.encode(images.images))
    view = task.view.prepare(images, encode=autoencoder.encode)
    return images._replace(images=None, segmentation=None, pyramid=pyramid, view=view)
