"""What a training is at one moment, while the training goes on."""

from collections.abc import Mapping

import torch
from torch import Tensor

Groups = Mapping[str, Mapping[str, Tensor]]


class Copies:
    """Copies of named groups of tensors on the CPU, that share no memory; the next ones are made in the same memory.

    What lies on a GPU goes to pinned memory, everything at once, and is waited for once.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, str], Tensor] = {}

    @torch.no_grad()
    def take(self, groups: Groups) -> dict[str, dict[str, Tensor]]:
        """Return contiguous copies of `groups`, by sorted names; those returned before are overwritten."""
        before, self._buffers = self._buffers, {}
        devices: set[torch.device] = set()
        for group, tensors in groups.items():
            for name, tensor in sorted(tensors.items()):
                buffer = before.get((group, name))
                if buffer is None or buffer.shape != tensor.shape or buffer.dtype != tensor.dtype:
                    buffer = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
                self._buffers[group, name] = buffer.copy_(tensor, non_blocking=True)
                devices |= {tensor.device} if tensor.is_cuda else set()
        for device in devices:
            torch.cuda.synchronize(device)
        return {group: {name: self._buffers[group, name] for name in sorted(groups[group])} for group in groups}
