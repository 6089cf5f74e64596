"""PLMS."""

from typing import Literal

import torch
from torch import Tensor

from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.samplers.base import Sampler, Step
from frido.diffusion.samplers.chain import Chain
from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing

ADAMS_BASHFORTH = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
"""Weights of the noises seen, newest first, with one to four of them at hand."""


class Plms(Sampler):
    """DDIM along the noise extrapolated from the last four calls (Liu et al., 2022). Deterministic.

    The weights are those of evenly spaced calls, as in the paper. A first step where there is no signal is DDIM's.

    Args:
        schedule: Run time.
        parameterization: Run time.
        spacing: Times of the network calls.
        steps: Per scale; also the network calls, or one less than those.
        first_calls: Network calls of the first step: 2 in the official code, for the mean noise of both its ends.
    """

    def __init__(
        self,
        *,
        schedule: Schedule,
        parameterization: Parameterization,
        spacing: Spacing,
        steps: int | list[int],
        first_calls: Literal[1, 2],
    ) -> None:
        super().__init__(schedule=schedule, parameterization=parameterization, spacing=spacing, steps=steps)
        self.first_calls = first_calls

    def stepper(self, chain: Chain) -> Step:
        seen: list[Tensor] = []  # noises, newest first
        last = len(chain.times) - 2

        def along(noisy: Tensor, noise: Tensor, k: int) -> Tensor:
            clean = (noisy - chain.sigmas[k].to(noisy) * noise) / chain.alphas[k].to(noisy)
            return chain.mix(clean, noise, k + 1)

        def step(noisy: Tensor, k: int) -> Tensor:
            clean, noise = chain.ask(noisy, k)
            seen.insert(0, noise)
            del seen[4:]
            if chain.alphas[k] == 0:
                return chain.mix(clean, noise, k + 1)
            if len(seen) == 1 and self.first_calls == 2:
                _, ahead = chain.ask(along(noisy, noise, k), min(k + 1, last))  # never at the end, as officially
                return along(noisy, (noise + ahead) / 2, k)
            weights = ADAMS_BASHFORTH[len(seen) - 1]
            return along(noisy, sum((w * n for w, n in zip(weights, seen, strict=True)), torch.zeros_like(noisy)), k)

        return step
