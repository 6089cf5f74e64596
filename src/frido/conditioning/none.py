"""No condition."""

from frido.conditioning.base import Conditioner
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.scene import Vocabulary


class NoConditioner(Conditioner):
    """Unconditional generation: every context is empty."""

    def __init__(self, *, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.width = 0

    def forward(self, annotations: Annotations) -> Context:
        return Context()

    def empty(self, annotations: Annotations) -> Context:
        return Context()
