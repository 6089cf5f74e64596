"""What autocast does to tensors, for those that torch itself passes over because they have no values.

Names are those of functions in `torch`, `torch.nn.functional` and `Tensor`; a test holds every rule against torch.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

LOW = {
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "prelu"),
    *("linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "einsum"),
    "scaled_dot_product_attention",
}
"""Computed in the low precision, on every device."""
LOSSES = {
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "cross_entropy", "kl_div", "cdist"),
    "binary_cross_entropy_with_logits",
}
FLOAT32 = {
    "cpu": {*LOSSES, "prod"},
    "accelerator": {
        *LOSSES,
        *("group_norm", "layer_norm", "normalize", "norm", "dist", "cosine_similarity", "softplus", "interpolate"),
        *("exp", "expm1", "log", "log1p", "logsumexp", "rsqrt", "reciprocal", "__rtruediv__", "__rdiv__"),
        *("pow", "__pow__", "__rpow__", "square", "erfinv", "acos", "tan"),
    },
}
"""Computed in float32."""
SUMMED = {"sum", "prod", "softmax", "log_softmax", "cumsum", "cumprod"}
"""Of an accelerator: read as they are, their result is float32."""
WIDEST = {"cat", "stack", "addcmul", "addcdiv", "atan2", "scatter_add", "index_add", "index_put", "dot"}
"""Of an accelerator: computed in the widest type among the arguments. CPUs know the first two alone."""


def cast(
    name: str,
    args: Any,
    kwargs: dict[str, Any],
    *,
    kind: str,
    low: torch.dtype,
    to: Callable[[Tensor, torch.dtype], Tensor],
) -> tuple[Any, dict[str, Any]]:
    """Return the arguments of an operation as autocast passes them on.

    Args:
        name: Of the operation.
        args: By position.
        kwargs: By name.
        kind: "cpu" or "accelerator".
        low: The low precision.
        to: Casts a tensor; may remember what it made.
    """

    if name in LOW:
        return _all_to(low, (args, kwargs), to)
    if name in FLOAT32[kind]:
        return _all_to(torch.float32, (args, kwargs), to)
    if kind == "accelerator" and name in SUMMED and kwargs.get("dtype") is None:
        return args, {**kwargs, "dtype": torch.float32} if _is_float(args[0]) else kwargs
    if name in WIDEST and (kind == "accelerator" or name in ("cat", "stack")):
        types = {leaf.dtype for leaf in tree_leaves((args, kwargs)) if _is_float(leaf)}
        return _all_to(torch.float32 if torch.float32 in types else low, (args, kwargs), to)
    return args, kwargs


def _all_to(dtype: torch.dtype, both: Any, to: Callable[[Tensor, torch.dtype], Tensor]) -> Any:
    return tree_map(lambda leaf: to(leaf, dtype) if _is_float(leaf) else leaf, both)


def _is_float(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dtype != torch.float64
