"""What held-out images say of a first stage."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from frido.autoencoders import ranks
from frido.autoencoders.base import Autoencoder
from frido.autoencoders.losses.base import Perceptual
from frido.cli import pictures
from frido.contracts.metric import Pictures
from frido.metrics.evaluation import Evaluation
from frido.metrics.features.reference import Reference
from frido.metrics.image_quality import psnr, ssim
from frido.tasks.codebook_use import CodebookUse, perplexity, usage

DISTANCES = ("fid/", "fd/", "kid/")
"""Beginnings of the metrics' names that compare reconstructions with originals."""


class Health(NamedTuple):
    """`numbers` by name; `cards` of those that need one to compare, and of those that were refused (with why)."""

    numbers: dict[str, float]
    cards: dict[str, dict[str, Any]]


@torch.no_grad()
def measure(
    autoencoder: Autoencoder,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    perceptual: Perceptual | None,
    evaluation: Evaluation,
    reference: Reference | None,
) -> Health:
    """Return how well images come back, and what scales and codes contribute; over the images of all ranks.

    `batches` are of positions and of images in [-1, 1]; in `reference` features of these images are kept.

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

    def pairs() -> Iterator[tuple[Pictures, Pictures, list]]:
        for positions, batch in batches:
            images = batch.to(device)
            made = autoencoder(images)
            values = [psnr(made.images, images), ssim(made.images, images)]
            values += [perceptual(made.images.clamp(-1, 1), images)] if perceptual else []
            values += [psnr(made.alone(scale), images) for scale in scales]
            sums.add_(torch.stack([torch.ones_like(values[0]), *values]).double().sum(dim=1))
            use.add(use.count(made.codes), images=len(images))
            sides = (pictures.to_uint8(side).to(device) for side in (images, made.images))
            real, generated = (Pictures(positions, side) for side in sides)
            yield real, generated, []

    compared = pairs()
    result = evaluation.run(compared, paired=True, described=False, reference=reference)
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
def rows(autoencoder: Autoencoder, images: Tensor) -> dict[str, Tensor]:
    """Return images by what they show: `real` ones, and their reconstructions from more and more of their scales.

    From the coarsest alone to all of them; then what each finer scale draws alone.
    """
    images = images.to(autoencoder.scale_factors.device)
    pyramid, made, last = autoencoder.encode(images), autoencoder(images), len(autoencoder.factors) - 1
    shown = {"real": images, "scale 0": made.images if last == 0 else autoencoder.decode(pyramid[:1])}
    for scale in range(1, last):
        shown[f"scales 0 to {scale}"] = autoencoder.decode(pyramid[: scale + 1])
    if last > 0:
        shown[f"scales 0 to {last}"] = made.images
    return shown | {f"scale {scale} alone": made.alone(scale) for scale in range(1, last + 1)}
