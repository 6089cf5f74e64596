"""What held-out images say of a first stage."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from frido.autoencoders import ranks
from frido.autoencoders.base import Autoencoder
from frido.autoencoders.losses.base import Perceptual
from frido.cli import pictures
from frido.metrics.evaluation import Evaluation
from frido.tasks.codebook_use import CodebookUse, perplexity, usage
from frido.tasks.image_quality import psnr, ssim

DISTANCES = ("fid/", "kid/")
"""Beginnings of the metrics' names that compare reconstructions with originals."""


class Health(NamedTuple):
    """`numbers` by name; `cards` of those that need one to compare, and of those that were refused (with why)."""

    numbers: dict[str, float]
    cards: dict[str, dict[str, Any]]


@torch.no_grad()
def measure(
    autoencoder: Autoencoder, batches: Iterable[Tensor], *, perceptual: Perceptual | None, evaluation: Evaluation
) -> Health:
    """Return how well images in [-1, 1] come back, and what scales and codes contribute; over the images of all ranks.

    Means over images: `psnr`, `ssim`, `lpips` (with a perceptual network) and, where there are several scales,
    `psnr_alone_S`, of what scale S draws with the latents of the others zeroed. Over all images together: the
    distances of `evaluation` with an r before their names (`rfid/...`), and of scales with codebooks `perplexity_S`
    and `usage_S` (means over its codebooks) and `dead_codes_S` (used by no image; of all its codebooks).
    """
    scales = range(len(autoencoder.factors)) if len(autoencoder.factors) > 1 else ()
    names = ["psnr", "ssim", *(["lpips"] if perceptual else []), *(f"psnr_alone_{scale}" for scale in scales)]
    device = autoencoder.scale_factors.device
    use = CodebookUse(autoencoder).to(device)
    sums = torch.zeros(1 + len(names), dtype=torch.float64, device=device)

    def pairs() -> Iterator[tuple[Tensor, Tensor, list]]:
        for batch in batches:
            images = batch.to(device)
            made = autoencoder(images)
            values = [psnr(made.images, images), ssim(made.images, images)]
            values += [perceptual(made.images.clamp(-1, 1), images)] if perceptual else []
            values += [psnr(made.alone(scale), images) for scale in scales]
            sums.add_(torch.stack([torch.ones_like(values[0]), *values]).double().sum(dim=1))
            use.add(use.count(made.codes), images=len(images))
            yield pictures.to_uint8(images), pictures.to_uint8(made.images), []

    compared = pairs()
    result = evaluation.run(compared)
    for _ in compared:  # an evaluation without metrics does not look at them
        pass
    count, *totals = ranks.total(sums).tolist()
    numbers = {name: total / count for name, total in zip(names, totals, strict=True)}
    for scale, own in use.counts.items():
        counts = ranks.total(own)
        numbers[f"perplexity_{scale}"] = float(perplexity(counts).mean())
        numbers[f"usage_{scale}"] = float(usage(counts).mean())
        numbers[f"dead_codes_{scale}"] = float((counts == 0).sum())
    numbers |= {f"r{name}": value for name, value in result.numbers.items() if name.startswith(DISTANCES)}
    cards = {f"r{name}": card for name, card in result.cards.items() if name.startswith(DISTANCES)}
    return Health(numbers, cards)


@torch.no_grad()
def rows(autoencoder: Autoencoder, images: Tensor) -> Tensor:
    """Return originals, their reconstructions and, with several scales, what each draws alone, coarsest first."""
    made = autoencoder(images.to(autoencoder.scale_factors.device))
    scales = range(len(autoencoder.factors)) if len(autoencoder.factors) > 1 else ()
    return torch.cat([images, made.images.cpu(), *(made.alone(scale).cpu() for scale in scales)])
