"""Counting what operations cost: floating-point operations, and the memory that is alive."""

import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


class Ledger(TorchDispatchMode):
    """Within it every operation is counted, of whatever is computed and differentiated.

    A multiply-add counts as two operations; only products (convolutions, matrices, attention) count, as is usual. Of
    memory, tensors count from the operation that makes them until nothing holds them. What an operation takes and gives
    back inside is not seen.

    Args:
        standing: Tensors that were there before, and do not count.
        device: Type of the device whose memory counts.
    """

    def __init__(self, *, standing: Iterable[Tensor], device: str) -> None:
        super().__init__()
        self.device = device
        self.forward, self.backward = 0, 0
        """Operations."""
        self.live, self.peak = 0, 0
        """Bytes, now and at the worst moment since `peak` was last set."""
        self._seen: dict[int, weakref.ref | None] = {tensor.untyped_storage()._cdata: None for tensor in standing}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        flops: Callable[..., int] | None = flop_registry.get(func._overloadpacket)
        if flops is not None:
            count = flops(*args, **(kwargs or {}), out_val=result)
            if torch._C._current_graph_task_id() == -1:
                self.forward += count
            else:
                self.backward += count
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.device.type == self.device:
                self._take(leaf)
        return result

    def _take(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return

        self._seen[key] = weakref.ref(storage, partial(self._forget, key, size))
        self.live += size
        self.peak = max(self.peak, self.live)

    def _forget(self, key: int, size: int, _: object) -> None:
        self.live -= size
        del self._seen[key]
