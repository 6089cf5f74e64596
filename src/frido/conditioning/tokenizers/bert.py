"""BERT's tokenizer."""

from pathlib import Path
from typing import Any

from frido.conditioning.tokenizers.base import Tokenizer
from frido.contracts import tokenizer
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary

SPECIAL = (tokenizer.PADDING, tokenizer.UNKNOWN, tokenizer.START, tokenizer.END, "[MASK]")


class BertTokenizer(Tokenizer):
    """Word pieces (Devlin et al., 2019) without upper case and accents, from a file; downloads nothing.

    Args:
        vocabulary: Of the dataset (run time); not read.
        length: Tokens of every text (run time).
        file: `vocab.txt` (a token a line) or `tokenizer.json` of bert-base-uncased. Null is an error that says so.
            Checkpoints remember its content (`frido.cli.outside`).

    Raises:
        FridoError: There is no such file, or it holds no tokenizer of that kind.
    """

    def __init__(self, *, vocabulary: Vocabulary, length: int, file: str | None) -> None:
        if file is None or not Path(file).is_file():
            raise FridoError(
                "conditioning.tokenizer.file",
                got="nothing" if file is None else f"no file {file}",
                wanted="the path of vocab.txt or tokenizer.json of bert-base-uncased",
                do="download one from huggingface.co/google-bert/bert-base-uncased and give its path",
            )
        text = Path(file).read_text(encoding="utf-8")
        if not file.endswith(".json"):
            text = _from_words(text.splitlines()).to_str()
        super().__init__(backend=tokenizer.load(text, source=f"conditioning.tokenizer.file={file}"), length=length)


def _from_words(words: list[str]) -> Any:
    """Return the tokenizer of bert-base-uncased for its list of tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    ids = {word: row for row, word in enumerate(words)}
    made = Tokenizer(models.WordPiece(ids, unk_token=tokenizer.UNKNOWN, max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens([name for name in SPECIAL if name in ids])
    return tokenizer.framed(made) if {tokenizer.START, tokenizer.END} <= ids.keys() else made
