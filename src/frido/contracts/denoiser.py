"""What samplers, guidance and tasks know of a denoiser."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frido.contracts.context import Context
from frido.contracts.pyramid import Pyramid


@runtime_checkable
class Denoise(Protocol):
    """A denoiser with its condition filled in; samplers and correctors see nothing else.

    `noisy` is `(batch, channels, height, width)`, `time` is `(batch,)` in units of the schedule's steps
    (float, 0 = clean end), the result has the shape of `noisy`.
    """

    def __call__(self, noisy: Tensor, time: Tensor) -> Tensor: ...


class Condition(NamedTuple):
    """What does not change along a chain: plain data, made once by `Denoiser.condition`.

    Every tensor has the batch first, so conditions concatenate and repeat along it. `modulations` are
    what the gate at each norm made of the coarser scales (empty where it has none); `attention` are
    `(keys, values)`, one per cross-attention; `mask` is the context's (True = attend); `features` are maps to
    concatenate to the noisy latent; `embedding` is added to that of the time.
    """

    scale: int
    embedding: Float[Tensor, "batch width"]
    modulations: tuple[tuple[Tensor, ...], ...] = ()
    attention: tuple[tuple[Tensor, Tensor], ...] = ()
    mask: Tensor | None = None
    features: tuple[Tensor, ...] = ()


def concatenate(conditions: Sequence[Condition]) -> Condition:
    """Return several conditions of one scale as one along the batch."""
    first = conditions[0]
    assert all(condition.scale == first.scale for condition in conditions), "conditions of different scales"

    def join(parts: Sequence) -> object:
        if parts[0] is None:
            return None
        if isinstance(parts[0], Tensor):
            return torch.cat(list(parts))
        return tuple(join(inner) for inner in zip(*parts, strict=True))

    return Condition(first.scale, *(join(field) for field in zip(*(c[1:] for c in conditions), strict=True)))  # type: ignore[arg-type]


class Denoiser(nn.Module, ABC):
    """A network that predicts noise, velocity or clean latents for one scale at a time.

    `channels[s]` is the number of latent channels of scale `s`, coarsest first.
    """

    channels: tuple[int, ...]

    def blocks(self) -> list[nn.Module]:
        """Return the parts that do the work and repeat, to be compiled each on its own; here the whole."""
        return [self]

    @abstractmethod
    def condition(
        self, *, scale: int, coarse: Pyramid, context: Context, level: Float[Tensor, "batch"] | None = None
    ) -> Condition:
        """Compute once what is constant along the chain of `scale`.

        Args:
            scale: 0 is the coarsest.
            coarse: The latents of all coarser scales (empty for scale 0), brought to this scale's grid by a layout.
            context: From a conditioner; `Context()` for unconditional generation.
            level: Share of noise in `coarse`, in [0, 1], for denoisers built to be told.
        """

    @abstractmethod
    def forward(
        self,
        noisy: Float[Tensor, "batch channels height width"],
        time: Float[Tensor, "batch"],
        condition: Condition,
    ) -> Float[Tensor, "batch channels height width"]:
        """Predict for `noisy` latents of `condition.scale` at `time` (0 = clean end, in schedule steps)."""
