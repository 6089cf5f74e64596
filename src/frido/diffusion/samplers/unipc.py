"""UniPC."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.samplers.base import Sampler, Step
from frido.diffusion.samplers.chain import Chain
from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class UniPc(Sampler):
    """Predictor and corrector from one network call a step (Zhao et al., 2023). Deterministic.

    Over a step the clean latent that the network sees is a polynomial of `lambda = log(alpha / sigma)`, through the
    last `order` calls; when the next call has been made, the step is repeated in hindsight with that one as well.
    The last step is not: there is no call at its end. The paper's equations for the weights are solved exactly at
    every order, and then its free function `B(h)` drops out of them.

    Args:
        schedule: Run time.
        parameterization: Run time.
        spacing: Times of the network calls.
        steps: Network calls per scale.
        order: Of the predictor; the corrector's is one more.
    """

    def __init__(
        self,
        *,
        schedule: Schedule,
        parameterization: Parameterization,
        spacing: Spacing,
        steps: int | list[int],
        order: Literal[1, 2, 3],
    ) -> None:
        super().__init__(schedule=schedule, parameterization=parameterization, spacing=spacing, steps=steps)
        self.order = order

    def stepper(self, chain: Chain) -> Step:
        alphas, sigmas, lambdas = chain.alphas, chain.sigmas, chain.lambdas
        h = lambdas.diff()
        shrink, grow = sigmas[1:] / sigmas[:-1], -alphas[1:] * torch.expm1(-h)
        seen: list[tuple[int, Tensor]] = []  # (step, clean), newest first
        predicted: list[Tensor] = []  # of the step before, where it is to be corrected

        def mean(k: int, points: list[tuple[int, Tensor]]) -> Tensor:
            """Return the mean clean latent over step `k`, of the polynomial through `points`."""
            places = (lambdas[[step for step, _ in points]] - lambdas[k]) / h[k]
            cleans = torch.stack([clean for _, clean in points])
            weights = weights_of_mean(places, h[k]).to(cleans).view(-1, 1, 1, 1, 1)
            return (weights * cleans).sum(dim=0)  # no matrix product: autocast would round it

        def step(noisy: Tensor, k: int) -> Tensor:
            clean, _ = chain.ask(noisy, k)
            if predicted:
                noisy = noisy + grow[k - 1].to(noisy) * (mean(k - 1, [(k, clean), *seen]) - predicted.pop())
            if not h[k].isfinite():  # from no signal, or to the clean latent: nothing else is near
                return shrink[k].to(noisy) * noisy + grow[k].to(noisy) * clean
            seen.insert(0, (k, clean))
            del seen[self.order :]
            predicted.append(mean(k, seen))
            return shrink[k].to(noisy) * noisy + grow[k].to(noisy) * predicted[-1]

        return step


def weights_of_mean(places: Float[Tensor, "points"], h: Float[Tensor, ""]) -> Float[Tensor, "points"]:
    """Return the weights of values at `places` in the mean, over a step, of the polynomial through them.

    Places count in strides of the step, 0 at its start; the mean is weighted by `exp(h * place)` on [0, 1], as the
    exact solution is (Lu et al., 2022b). Solves `sum_p weight_p * place_p^j = mean of place^j` for every `j`.
    """
    moments = [torch.ones_like(h)]
    for j in range(1, len(places)):
        moments.append(-1 / torch.expm1(-h) - j / h * moments[-1])  # by parts
    powers = torch.stack([places**j for j in range(len(places))])
    return torch.linalg.solve(powers, torch.stack(moments))
