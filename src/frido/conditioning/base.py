"""From annotations to a condition."""

from abc import ABC, abstractmethod

from torch import nn

from frido.contracts.batch import Annotations
from frido.contracts.context import Context


class Conditioner(nn.Module, ABC):
    """Turns annotations into a `Context`. Built by a partial with the run-time argument `vocabulary`.

    Promises: padding changes nothing that the mask lets through; the empty context of some annotations has the shapes
    of their full one, depends on nothing in them but the crop, and at least one token of any context may be attended
    to.
    """

    width: int
    """Of the tokens; 0 where there are none."""
    pooled_width: int = 0
    """Of the pooled vector; 0 where there is none."""

    @abstractmethod
    def forward(self, annotations: Annotations) -> Context: ...

    @abstractmethod
    def empty(self, annotations: Annotations) -> Context:
        """Return the condition that asks for nothing, in the shapes of `forward(annotations)`."""
