"""An optimizer's state as named tensors and plain values, so that no checkpoint needs pickle."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

Plain = dict[str, Any]


def take(optimizer: Optimizer) -> tuple[dict[str, Tensor], Plain]:
    """Return the tensors by `"<parameter>.<key>"`, and everything else as JSON can hold it."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    values: Plain = {}
    for parameter, entries in state["state"].items():
        for key, value in entries.items():
            place = tensors if isinstance(value, Tensor) else values
            place[f"{parameter}.{key}"] = value
    groups = [{key: value for key, value in group.items() if key != "params"} for group in state["param_groups"]]
    return tensors, {"values": values, "groups": groups}


def put(optimizer: Optimizer, tensors: dict[str, Tensor], plain: Plain) -> None:
    """Put back what `take` returned; the optimizer has the same parameters in the same order.

    A tensor of a parameter's shape gets the parameter's own order in memory, which fused optimizers walk along.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = optimizer.state_dict()
    entries: dict[int, Plain] = {}
    for name, value in (tensors | plain["values"]).items():
        index, key = name.split(".", 1)
        if isinstance(value, Tensor) and value.shape == parameters[int(index)].shape:
            value = torch.empty_like(parameters[int(index)], dtype=value.dtype).copy_(value)
        entries.setdefault(int(index), {})[key] = value
    for group, kept in zip(state["param_groups"], plain["groups"], strict=True):
        for key, value in kept.items():
            group[key] = tuple(value) if isinstance(group.get(key), tuple) else value  # JSON has no tuples
    optimizer.load_state_dict({"state": entries, "param_groups": state["param_groups"]})
