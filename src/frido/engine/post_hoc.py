"""Averages of any length, made after training from stored ones (Karras et al., 2024, section 3.2)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from frido.engine import snapshots
from frido.engine.snapshots import Snapshot


class Profile(NamedTuple):
    """What a power-function average counts: weights after i images in proportion to `i ** gamma`, up to `images`."""

    gamma: float
    images: float


class Fit(NamedTuple):
    """How a profile is composed of others: one coefficient for each; they sum to 1.

    `residual` is what is left, as the norm of the difference over that of the profile: 0 is exact.
    """

    coefficients: list[float]
    residual: float


def fit(kept: Sequence[Profile], wanted: Profile) -> Fit:
    """Return the combination of `kept` that is nearest to `wanted`, by least squares between the profiles.

    Beyond the paper, the coefficients are made to sum to 1, so that what a training never changes stays as it is.
    """
    cosines, aims = _cosines(kept, kept), _cosines(kept, [wanted])[:, 0]
    # In units of the profiles' norms, where the cosines are all there is to know. Two averages of one length leave a
    # choice, of which the smallest is taken.
    ratios = _norms([wanted]) / _norms(kept)
    free, toward_one = torch.linalg.lstsq(cosines, torch.stack([aims, ratios], dim=1), driver="gelsd").solution.T
    x = free + toward_one * (1 - ratios @ free) / (ratios @ toward_one)
    residual = (1 - 2 * (x @ aims) + x @ cosines @ x).clamp(min=0).sqrt()
    return Fit((x * ratios).tolist(), float(residual))


def combined(parts: Iterable[tuple[Snapshot, float]]) -> dict[str, Tensor]:
    """Return the sum of snapshots with their coefficients; what is no parameter is that of the last one."""
    total: dict[str, Tensor] = {}
    buffers: dict[str, Tensor] = {}
    for snapshot, coefficient in parts:
        state = snapshots.read(snapshot)
        buffers = {name: tensor for name, tensor in state.items() if name not in snapshot.parameters}
        for name in snapshot.parameters:
            term = state[name].double() * coefficient
            total[name] = total[name].add_(term) if name in total else term
    return buffers | {name: tensor.float() for name, tensor in total.items()}


def _cosines(some: Sequence[Profile], others: Sequence[Profile]) -> Float[Tensor, "some others"]:
    """Return the inner products of profiles on [0, images], divided by their norms.

    A profile is `(gamma + 1) * i ** gamma / images ** (gamma + 1)`, and the product of two is integrated up to the
    earlier end.
    """
    a, s = (column[:, None] for column in torch.tensor(some, dtype=torch.float64).T)
    b, t = torch.tensor(others, dtype=torch.float64).T
    end = torch.minimum(s, t)
    same_end = ((2 * a + 1) * (2 * b + 1)).sqrt() / (a + b + 1)
    return same_end * (end / s) ** (a + 0.5) * (end / t) ** (b + 0.5)


def _norms(profiles: Sequence[Profile]) -> Float[Tensor, " profiles"]:
    gamma, images = torch.tensor(profiles, dtype=torch.float64).T
    return (gamma + 1) / ((2 * gamma + 1) * images).sqrt()
