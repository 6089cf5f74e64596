"""A tokenizer of captions, as the JSON text of the `tokenizers` library. Imports no torch: `pack` trains one."""

import os
from collections.abc import Iterable
from typing import Any

from frido.contracts.errors import FridoError

PADDING, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
"""Special tokens, named as BERT names them; every text is one of `START text END`, padded."""


def train(captions: Iterable[str], size: int) -> str:
    """Learn a vocabulary of byte pairs (Sennrich et al., 2016) from captions, without upper case.

    It starts from the 256 bytes, so no text has unknown tokens. The same captions in the same order give the same text.

    Args:
        captions: Of the training images.
        size: Most tokens; fewer where the captions do not repeat enough pairs.

    Returns:
        What `tokenizer.json` holds.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PADDING, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return framed(tokenizer).to_str()


def load(text: str, *, source: str) -> Any:
    """Return the `tokenizers.Tokenizer` that `text` describes.

    Raises:
        FridoError: `text`, which came from `source`, is no tokenizer, or it lacks a special token.
    """
    # Batches of captions are small, and its threads would not survive a fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing narrower
        raise FridoError(
            source, got=str(error), wanted="a tokenizer, as the library tokenizers writes it", do="replace the file"
        ) from None
    lacking = [name for name in (PADDING, START, END) if tokenizer.token_to_id(name) is None]
    if lacking:
        raise FridoError(
            source,
            got=f"a tokenizer without {', '.join(lacking)}",
            wanted=f"the special tokens {PADDING}, {START} and {END}",
            do="use a tokenizer that frido trained, or one of BERT",
        )
    return tokenizer


def framed(tokenizer: Any) -> Any:
    """Return `tokenizer`, changed to put `START` before every text and `END` behind it."""
    from tokenizers import processors

    ends = [(name, tokenizer.token_to_id(name)) for name in (START, END)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=ends)
    return tokenizer
