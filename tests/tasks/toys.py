"""A second stage that is quick to build: a toy denoiser whose every input matters, and a real task around it."""

import torch
from torch import nn

from frido.contracts.batch import Annotations, Batch
from frido.contracts.denoiser import Condition, Denoiser
from frido.contracts.scene import Vocabulary
from tests.denoisers import options

SHAPES = [(3, 4, 4), (2, 8, 8), (1, 8, 8)]
VOCABULARY = Vocabulary(("circle", "square"), ("red", "blue"), ("left of", "above"))


class ToyDenoiser(Denoiser):
    """One convolution per scale of the noisy and coarser latents, plus a number from time, tokens and level."""

    def __init__(self, channels, *, width=24):
        super().__init__()
        self.channels = tuple(channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(sum(channels[: scale + 1]), own, 3, padding=1) for scale, own in enumerate(channels)
        )
        self.tokens, self.time = nn.Linear(width, 1), nn.Linear(1, 1)
        self.levels, self.times, self.noisy, self.coarse, self.contexts = [], [], [], [], []

    def condition(self, *, scale, coarse, context, level=None):
        self.levels.append(level)
        self.coarse.append(coarse)
        self.contexts.append(context)
        told = self.tokens(context.tokens.mean(dim=1))  # the mask is left to those who attend
        return Condition(scale, told if level is None else told + level[:, None], features=coarse)

    def forward(self, noisy, time, condition):
        self.times.append(time)
        self.noisy.append(noisy)
        number = condition.embedding + self.time(time[:, None] / 1000)
        return self.convolutions[condition.scale](torch.cat([*condition.features, noisy], 1)) + number[..., None, None]


def batch(size, *, start=0, shapes=SHAPES, seed=0):
    """Return `size` samples from position `start` on; scenes and latents are random."""
    generator = torch.Generator().manual_seed(seed)

    def ids(*shape):
        return torch.randint(0, 2, (size, *shape), generator=generator)

    boxes = torch.rand(size, 3, 4, generator=generator)
    captions = torch.zeros(size, 0, dtype=torch.uint8)
    shown = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(size, 4), torch.zeros(size, dtype=torch.bool)
    return Batch(
        images=None,
        annotations=Annotations(ids(3), ids(3, 1), boxes, ids(2, 3), captions, *shown),
        ids=tuple(str(i) for i in range(size)),
        positions=torch.arange(start, start + size),
        valid=torch.ones(size, dtype=torch.bool),
        pyramid=tuple(torch.randn(size, *shape, generator=generator) for shape in shapes),
    )


def task(
    *,
    shapes=SHAPES,
    loss="l2",
    weighting="uniform",
    times="discrete",
    scales="all",
    quotas=None,
    parameterization="v",
    forcing="constant_mix",
    layout="native",
    view="none",
    schedule="sqrt_linear",
    **changes,
):
    """Return the real task with a toy denoiser; `changes` are of the task's own settings."""
    torch.manual_seed(0)
    conditioner = options.build("conditioning", "scene_graph")(vocabulary=VOCABULARY)
    node = options.node("task", "pyramid_diffusion") | {
        "loss": options.node("task/loss", loss),
        "weighting": options.node("task/weighting", weighting),
        "times": options.node("task/times", times),
        "scales": options.node("task/scales", scales) | ({"quotas": quotas} if quotas else {}),
    }
    diffusion = {
        "schedule": schedule,
        "parameterization": parameterization,
        "teacher_forcing": forcing,
        "layout": layout,
    }
    return options.make(node | changes)(
        denoiser=ToyDenoiser([channels for channels, _, _ in shapes], width=conditioner.width),
        conditioner=conditioner,
        view=options.build("view", view)(vocabulary=VOCABULARY, latent_channels=shapes[-1][0], factor=4),
        **{part: options.build(f"diffusion/{part}", name) for part, name in diffusion.items()},
    )
