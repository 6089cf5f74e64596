"""Several conditions at once."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from frido.conditioning.base import Conditioner
from frido.contracts.batch import Annotations
from frido.contracts.context import Context
from frido.contracts.scene import Vocabulary


class Several(Conditioner):
    """Puts the tokens of several conditioners in a row, and their pooled vectors too.

    Tokens of another width than `width` go through a linear map first. Where only some of the conditioners hide
    padding, all tokens of the others are seen.

    Args:
        vocabulary: Of the dataset (run time).
        width: Of the tokens.
        parts: Partials that take `vocabulary`, by names of your choice; tokens stand in the order of these.
    """

    def __init__(self, *, vocabulary: Vocabulary, width: int, parts: dict[str, Callable[..., Conditioner]]) -> None:
        super().__init__()
        made = {name: part(vocabulary=vocabulary) for name, part in parts.items()}
        self.parts = nn.ModuleDict(made)
        self.projections = nn.ModuleDict(
            {name: nn.Linear(part.width, width) for name, part in made.items() if part.width not in (0, width)}
        )
        self.width = width if any(part.width for part in made.values()) else 0
        self.pooled_width = sum(part.pooled_width for part in made.values())

    def forward(self, annotations: Annotations) -> Context:
        return self._join({name: part(annotations) for name, part in self.parts.items()})

    def empty(self, annotations: Annotations) -> Context:
        return self._join({name: cast(Conditioner, part).empty(annotations) for name, part in self.parts.items()})

    def _join(self, contexts: dict[str, Context]) -> Context:
        pooled = [context.pooled for context in contexts.values() if context.pooled is not None]
        masked = any(context.mask is not None for context in contexts.values())
        tokens: list[Tensor] = []
        masks: list[Tensor] = []
        for name, context in contexts.items():
            if context.tokens is None:
                continue
            own = self.projections[name](context.tokens) if name in self.projections else context.tokens
            tokens.append(own)
            masks.append(own.new_ones(own.shape[:2], dtype=torch.bool) if context.mask is None else context.mask)
        return Context(
            tokens=torch.cat(tokens, dim=1) if tokens else None,
            mask=torch.cat(masks, dim=1) if masked else None,
            pooled=torch.cat(pooled, dim=1) if pooled else None,
        )
