"""Recorded chains of official samplers: a pair holds several runs over one table of betas."""

from typing import Any

import pytest
from torch import Tensor

from frido.diffusion.schedules.base import Schedule
from tests.parity import golden


class Recorded(Schedule):
    """The betas that were recorded."""

    def __init__(self, betas: Tensor) -> None:
        self._betas = betas

    def betas(self) -> Tensor:
        return self._betas


def cases(prefix: str) -> list[Any]:
    """Return pytest parameters (path, run) for every run of every pair whose class begins with `prefix`."""
    found = []
    for case in golden.cases(prefix):
        path = case.values[0]
        if path is None:
            return [pytest.param(None, None, id="none", marks=case.marks)]
        found += [pytest.param(path, run, id=f"{path.stem}-{run}") for run in golden.load(path).config["runs"]]
    return found
