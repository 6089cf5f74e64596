"""A token for each word of the dataset's vocabulary."""

from frido.conditioning.tokenizers.base import Tokenizer
from frido.contracts import tokenizer
from frido.contracts.graph_text import LETTERS
from frido.contracts.scene import Vocabulary


class WordsTokenizer(Tokenizer):
    """Knows the words of categories, attributes and predicates and what else `graph_text` writes; no others.

    Needs neither captions nor files. Upper case means something, as it does in `graph_text`.

    Args:
        vocabulary: Of the dataset (run time).
        length: Tokens of every text (run time).
    """

    def __init__(self, *, vocabulary: Vocabulary, length: int) -> None:
        from tokenizers import Tokenizer as Backend
        from tokenizers import models, pre_tokenizers

        names = (*vocabulary.categories, *vocabulary.attributes, *vocabulary.predicates)
        words = sorted({word for name in names for word in name.split()} - {",", *LETTERS})
        special = (tokenizer.PADDING, tokenizer.UNKNOWN, tokenizer.START, tokenizer.END)
        ids = {word: row for row, word in enumerate((*special, ",", *LETTERS, *words))}
        backend = Backend(models.WordLevel(ids, unk_token=tokenizer.UNKNOWN))
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        super().__init__(backend=tokenizer.framed(backend), length=length)
