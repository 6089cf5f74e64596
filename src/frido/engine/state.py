"""Everything that a training is at one moment: into a checkpoint, and back out of it."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from frido.contracts.errors import FridoError
from frido.engine import checkpoint, distributed, optimizer_state
from frido.engine.checkpoint import Checkpoint
from frido.engine.ema import Ema
from frido.engine.not_finite import NotFinite
from frido.engine.optimization import Optimization
from frido.engine.training import Training
from frido.engine.window import Window

log = logging.getLogger(__name__)


class State:
    """The parts of a training that change, beside the number of images seen.

    Args:
        model: Whose weights and buffers are kept.
        ema: Their averages.
        optimizations: By the name of their phase.
        window: What was measured since the last line of the log.
        not_finite: Counts steps left out in a row.
        training: Settings.
        facts: About data and such: a checkpoint made under other facts is refused.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        ema: Ema,
        optimizations: Mapping[str, Optimization],
        window: Window,
        not_finite: NotFinite,
        training: Training,
        facts: Mapping[str, Any],
    ) -> None:
        self.model, self.ema, self.optimizations, self.window = model, ema, optimizations, window
        self.not_finite, self.training = not_finite, training
        self.facts = json.loads(json.dumps(dict(facts)))  # as a checkpoint gives it back: tuples are lists

    def take(self, images_seen: int, *, due: bool, numbers: Mapping[str, float]) -> Checkpoint:
        """Return it, in the tensors that the training goes on with; for `due` and `numbers` see `keep.Kept`."""
        tensors: dict[str, Tensor] = {}
        plain: dict[str, Any] = {}
        for name, optimization in self.optimizations.items():
            own, plain[name] = optimizer_state.take(optimization.optimizer)
            tensors |= {f"{name}.{key}": tensor for key, tensor in own.items()}
        told = {
            "optimizers": plain,
            "scalers": {name: one.scaler.state_dict() for name, one in self.optimizations.items()},
            "window": self.window.state(),
            "skipped": self.not_finite.in_a_row,
            "drawn_with": self.training.drawn_with,
            "due": due,
            "numbers": dict(numbers),
            "facts": self.facts,
            "environment": self._environment(),
        }
        return Checkpoint(images_seen, self.model.state_dict(), self.ema.weights, tensors, told)

    def put(self, path: Path) -> int:
        """Put back what the checkpoint in folder `path` holds; return how many images were seen then.

        Raises:
            FridoError: It was made under other facts, or of another model.
        """
        found = checkpoint.read(path)
        if found.state["facts"] != self.facts:
            raise FridoError(
                f"checkpoint {path}",
                got=f"trained with {found.state['facts']}",
                wanted=f"the same as now: {self.facts}",
                do="Bring the earlier data back, or start anew with run.fresh=true.",
            )
        was, now = found.state["environment"], self._environment()
        if changed := [f"{key} {was[key]} -> {now[key]}" for key in now if now[key] != was[key]]:
            told = ", ".join(changed)
            log.warning("continued under other conditions (%s): the same up to rounding, not bit for bit", told)
        checkpoint.fill(self.model, found.weights, path)
        self.ema.restore(found.averages)
        for name, optimization in self.optimizations.items():
            own = {key.removeprefix(f"{name}."): value for key, value in found.optimizers.items() if _is_of(name, key)}
            optimizer_state.put(optimization.optimizer, own, found.state["optimizers"][name])
            optimization.scaler.load_state_dict(found.state["scalers"][name])
        self.not_finite.in_a_row = found.state["skipped"]
        self.window.restore(found.state["window"])
        return found.images_seen

    def _environment(self) -> dict[str, Any]:
        """Return what a bitwise equal continuation needs to find unchanged."""
        ranks = distributed.world_size()
        _, micro = self.training.split(ranks)
        return {"torch": torch.__version__, "threads": torch.get_num_threads(), "ranks": ranks, "micro_batch": micro}


def _is_of(phase: str, key: str) -> bool:
    return key.startswith(f"{phase}.")
