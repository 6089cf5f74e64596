"""From texts to ids."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from frido.contracts import tokenizer


class Tokenizer:
    """Texts as rows of ids, all of one length. Built by a partial with the run-time `vocabulary` and `length`.

    A text that is too long is cut, and ends with the end token nevertheless.

    Args:
        backend: A `tokenizers.Tokenizer` with the special tokens of `contracts.tokenizer`.
        length: Tokens of every row, start, end and padding included.
    """

    size: int
    """Number of different ids."""

    def __init__(self, *, backend: Any, length: int) -> None:
        self.size = backend.get_vocab_size()
        backend.enable_truncation(length)
        padding = backend.token_to_id(tokenizer.PADDING)
        backend.enable_padding(length=length, pad_id=padding, pad_token=tokenizer.PADDING)
        self._backend = backend

    def __call__(self, texts: Sequence[str]) -> tuple[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"]]:
        """Return the ids, and where they are not padding."""
        rows = self._backend.encode_batch(list(texts))
        ids, real = torch.tensor([row.ids for row in rows]), torch.tensor([row.attention_mask for row in rows])
        return ids, real.bool()
