"""Computing with shapes and types alone: what a network would do, on a device that need not be there."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import _engine_run_backward
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from frido.contracts.batch import Annotations, Batch
from frido.engine.counting import autocast_rules
from frido.engine.precision import autocast

T = TypeVar("T")

CPU, ACCELERATOR = torch.device("cpu"), torch.device("xpu", 0)
"""What tensors without values say they are on: a CPU, or any other device. The second is one that torch can autocast
for where there is none, by the rules of CUDA."""


def place_of(device: torch.device) -> torch.device:
    """Return what stands for a device."""
    return CPU if device.type == "cpu" else ACCELERATOR


DEVICE = Tensor.device.__get__  # type: ignore[attr-defined]


class WithoutValues(TorchFunctionMode):
    """Within it tensors of the device "meta" behave as if they were on `place`.

    They meet tensors with values, which lose theirs by that; they are cast as by autocast; attention takes the kernel
    that it would take. A question about a value that is not there is answered by zero, and what a module stored about
    its beginning (see `without_values`) says that this is over: what is computed is a step in the middle of a training.

    Args:
        place: `CPU` or `ACCELERATOR`.
    """

    def __init__(self, place: torch.device) -> None:
        super().__init__()
        self.place, self._low = place, {}  # type: ignore[var-annotated]
        self._kind = "cpu" if place == CPU else "accelerator"

    @contextmanager
    def autocast(self, precision: str) -> Iterator[None]:
        """Within it a forward pass is computed in a precision; see `frido.engine.precision`."""
        with autocast(precision, self.place):
            yield
        self._low.clear()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "__get__":  # of a property
            return self.place if func == DEVICE and args[0].is_meta and not _compares() else func(*args)
        if name == "backward":
            return self._backward(args[0])
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        absent = any(tensor.is_meta for tensor in tensors)
        if absent and name in ANSWERS:
            return ANSWERS[name](*args, **kwargs)
        if not absent:
            return func(*tree_map(self._moved, args), **tree_map(self._moved, kwargs))
        args, kwargs = tree_map(_without, (args, kwargs))
        if torch.is_autocast_enabled(self.place.type):
            low = torch.get_autocast_dtype(self.place.type)
            args, kwargs = autocast_rules.cast(name, args, kwargs, kind=self._kind, low=low, to=self._cast)
        if name == "scaled_dot_product_attention":
            return self._attend(func, *args, **kwargs)
        if name == "dropout" and self._kind == "accelerator":
            return _fused_dropout(*args, **kwargs)
        return func(*args, **kwargs)

    def _backward(self, loss: Tensor) -> None:
        """Differentiate `loss`; what is computed again on the way is computed in here, too."""
        with self:
            _engine_run_backward((loss,), (torch.ones_like(loss),), False, False, (), True, accumulate_grad=True)

    def _moved(self, leaf: Any) -> Any:
        """Return "meta" in place of a device that is not there."""
        away = isinstance(leaf, torch.device) and leaf.type == self.place.type != "cpu"
        return torch.device("meta") if away else leaf

    def _cast(self, tensor: Tensor, dtype: torch.dtype) -> Tensor:
        """Return `tensor` in another type; a weight is cast once for a forward pass, as autocast does it."""
        if tensor.dtype == dtype:
            return tensor
        again = torch._C._current_graph_task_id() != -1  # in a backward pass nothing is kept
        if again or not (tensor.is_leaf and tensor.requires_grad):
            return tensor.to(dtype)
        if id(tensor) not in self._low:
            self._low[id(tensor)] = tensor.to(dtype)
        return self._low[id(tensor)]

    def _attend(
        self,
        func: Callable[..., Tensor],
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **others: Any,
    ) -> Tensor:
        """Attend by the kernel that keeps no scores, wherever torch has one for such tensors."""
        mask = attn_mask
        learnt = mask is not None and mask.requires_grad
        if others or any(tensor.stride(-1) != 1 for tensor in (query, key, value)):
            return func(query, key, value, attn_mask, dropout_p, is_causal, **others)
        if self._kind == "cpu":
            if learnt or dropout_p:
                return func(query, key, value, attn_mask, dropout_p, is_causal)
            fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
            return fused(query, key, value, dropout_p, is_causal, attn_mask=mask)[0]
        if mask is not None:
            mask = torch.zeros_like(mask, dtype=query.dtype) if mask.dtype == torch.bool else mask
            mask = mask.expand(len(query), query.shape[1], query.shape[2], key.shape[2])
        fused = torch.ops.aten._scaled_dot_product_efficient_attention
        return fused(query, key, value, mask, True, dropout_p, is_causal)[0]


def _compares() -> bool:
    """Return whether torch, in a backward pass, compares what was computed again with what it noted down inside."""
    return torch._C._current_graph_task_id() != -1 and not torch.is_grad_enabled()


def without_values(modules: T) -> tuple[T, list[Tensor]]:
    """Return copies of modules (one, or several in a list) whose tensors have no values, and these tensors.

    Single whole numbers, by which modules remember that they have begun, are kept, as 1.
    """
    with _Emptying() as emptying:
        return copy.deepcopy(modules), emptying.made


def batch_without_values(batch: Batch) -> Batch:
    """Return a batch whose images, latents and such have no values, in memory of their own.

    Positions and annotations, which programs read, keep theirs; they lie on the CPU.
    """
    return batch._replace(
        images=_emptied(batch.images),
        pyramid=None if batch.pyramid is None else tuple(_empty(latent) for latent in batch.pyramid),
        segmentation=_emptied(batch.segmentation),
        view=_emptied(batch.view),
        annotations=Annotations(*(tensor.cpu() for tensor in batch.annotations)),
        positions=batch.positions.cpu(),
        valid=batch.valid.cpu(),
    )


class WithoutWeights(TorchFunctionMode):
    """Within it modules are built without values for their weights, at once, however many they are.

    What is computed while building keeps its values.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ("empty", "randn", "rand"):
            return func(*args, **{**kwargs, "device": "meta"})
        first = args[0] if args else kwargs.get("tensor")
        if name.endswith("_") and isinstance(first, Tensor) and first.is_meta and name in FILLING:
            return first
        return func(*args, **kwargs)


class _Emptying(TorchFunctionMode):
    """Within it a copy of a module is one without values."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name == "clone":  # so are parameters copied
            return self._emptied(args[0])
        if name == "__deepcopy__":
            tensor, memo = args
            return memo.setdefault(id(tensor), self._emptied(tensor))
        return func(*args, **(kwargs or {}))

    def _emptied(self, tensor: Tensor) -> Tensor:
        if tensor.numel() == 1 and not tensor.is_floating_point():
            return torch.ones_like(tensor, device="cpu")
        self.made.append(_empty(tensor))
        return self.made[-1]


def _without(leaf: Any) -> Any:
    """Return a tensor without values, and "meta" in place of the device that such a tensor is to go to."""
    if isinstance(leaf, torch.device):
        return torch.device("meta")
    if isinstance(leaf, Tensor) and not leaf.is_meta:
        return _empty(leaf)
    return leaf


def _empty(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta", requires_grad=False)


def _emptied(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else _empty(tensor)


def _counts(values: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    return torch.empty(minlength, dtype=torch.int64, device="meta")


def _itself(tensor: Tensor, *others: Any, **named: Any) -> Tensor:
    return tensor


FILLING = {
    *("normal_", "uniform_", "trunc_normal_", "zeros_", "ones_", "constant_", "fill_", "zero_"),
    *("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"),
}
"""Operations that weights are begun with."""

ANSWERS: dict[str, Callable[..., Any]] = {
    "__bool__": lambda tensor: False,
    "__int__": lambda tensor: 0,
    "__index__": lambda tensor: 0,
    "__float__": lambda tensor: 0.0,
    "item": lambda tensor: torch.zeros((), dtype=tensor.dtype).item(),
    "tolist": lambda tensor: torch.zeros(tensor.shape, dtype=tensor.dtype).tolist(),
    "bincount": _counts,
    "cpu": _itself,
    "pin_memory": _itself,
}
"""What is answered where torch would look at values."""


def _fused_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return torch.native_dropout(input, p, training)[0] if training and p else input
