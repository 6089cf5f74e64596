"""From noise to a latent."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from frido.contracts.denoiser import Denoise
from frido.contracts.errors import FridoError
from frido.diffusion.given import Anchor
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.per_scale import at_scale
from frido.diffusion.samplers.chain import Chain, Watch
from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing
from frido.diffusion.terminal_signal import check_terminal_signal

Step = Callable[[Tensor, int], Tensor]
"""`step(noisy, k)` takes a latent at `times[k]` to `times[k + 1]`."""


class Sampler(ABC):
    """Runs the reverse chain of one scale. Built by a partial with run-time `schedule` and `parameterization`.

    A sampler sees a `Denoise` and nothing else, keeps no state between chains, and draws no randomness itself.
    A kind of sampler says how one step is taken; where a chain starts and what is kept on its way is the same for all.

    Args:
        schedule: Run time.
        parameterization: Run time.
        spacing: Times of the network calls.
        steps: Of a chain, in 1 .. the schedule's; a list has one number per scale, coarsest first.
    """

    def __init__(
        self, *, schedule: Schedule, parameterization: Parameterization, spacing: Spacing, steps: int | list[int]
    ) -> None:
        check_terminal_signal(schedule, parameterization)
        for count in steps if isinstance(steps, list) else [steps]:
            if not 1 <= count <= schedule.num_steps:
                raise FridoError(
                    "diffusion.sampler.steps",
                    got=count,
                    wanted=f"1 to {schedule.num_steps}, the steps of the schedule",
                    do="diffusion.sampler.steps=20",
                )
        self.schedule, self.parameterization, self.spacing, self.steps = schedule, parameterization, spacing, steps

    @abstractmethod
    def stepper(self, chain: Chain) -> Step:
        """Return what takes the steps of one chain, in order; it may remember earlier ones."""

    def at(self, scale: int, *, num_scales: int) -> "Sampler":
        """Return this sampler with the steps of one scale; raise `FridoError` where a list is not of `num_scales`."""
        own = copy.copy(self)
        own.steps = at_scale(self.steps, scale, num_scales=num_scales, setting="diffusion.sampler.steps")
        return own

    @property
    def times(self) -> Float[Tensor, "times"]:
        """The times of a chain, noisy to clean; the last is where it ends."""
        assert isinstance(self.steps, int), "these are steps of several scales: choose one by `at`"
        return self.spacing.times(self.schedule, steps=self.steps)

    def __call__(
        self,
        denoise: Denoise,
        noisy: Float[Tensor, "batch channels height width"],
        *,
        noise: Callable[[int], Tensor],
        anchor: Anchor | None = None,
        watch: Watch | None = None,
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the latent at the clean end of a chain.

        Args:
            denoise: With its condition and guidance filled in.
            noisy: Standard normal; the chain starts from it, or from what `anchor` gives, noised by it.
            noise: `noise(step)` is standard normal of the shape of `noisy`, for samplers that add some.
            anchor: What is given of the result. What it keeps is exact before every step, not yet after the last.
            watch: Told what the network believes at every step; it changes nothing.
        """
        chain = Chain(
            denoise=denoise,
            schedule=self.schedule,
            parameterization=self.parameterization,
            times=self.times,
            noise=noise,
            watch=watch,
        )
        step, first = self.stepper(chain), 0
        levels = list(zip(chain.alphas.to(noisy), chain.sigmas.to(noisy), strict=True))
        if anchor is not None:
            first = anchor.first(chain.times.tolist(), self.schedule.num_steps - 1)
            noisy = anchor.start(noisy, *levels[first])
        for k in range(first, len(chain.times) - 1):
            if anchor is not None:
                noisy = anchor.hold(noisy, k, *levels[k])
            noisy = step(noisy, k)
        return noisy
