"""Parameters that do not train."""

from collections.abc import Sequence

from torch import nn

from frido.contracts.errors import FridoError
from frido.contracts.phase import Phase
from frido.engine.parts import chosen


def freeze(model: nn.Module, phases: Sequence[Phase], patterns: Sequence[str]) -> None:
    """Let the parameters of `model` whose names match `patterns` ask for no gradient.

    They keep their bits and cost no optimizer state. Only parameters: dropout stays, and buffers that a forward pass
    moves (statistics of batch norms, codebooks of running means) go on moving.

    Raises:
        FridoError: A pattern matches no parameter, or a phase is left with nothing to train.
    """
    if not patterns:
        return
    parameters = dict(model.named_parameters(remove_duplicate=False))
    trained = [phase for phase in phases if _trained(phase)]
    for name in chosen(parameters, patterns, setting="frozen"):
        parameters[name].requires_grad_(False)
    for phase in trained:
        if not _trained(phase):
            raise FridoError(
                "frozen of the training",
                got=f"{list(patterns)}, all that phase {phase.name!r} trains",
                wanted="patterns that leave each phase something to train",
                do="frozen=[] trains everything",
            )


def _trained(phase: Phase) -> bool:
    return any(parameter.requires_grad for parameter in phase.trained())
