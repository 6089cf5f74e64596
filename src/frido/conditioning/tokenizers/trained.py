"""The dataset's own tokenizer."""

from frido.conditioning.tokenizers.base import Tokenizer
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary
from frido.contracts.tokenizer import load


class TrainedTokenizer(Tokenizer):
    """Byte pairs learned from the training captions when the dataset was packed.

    Args:
        vocabulary: Of the dataset (run time).
        length: Tokens of every text (run time).

    Raises:
        FridoError: The dataset has no captions.
    """

    def __init__(self, *, vocabulary: Vocabulary, length: int) -> None:
        if not vocabulary.tokenizer:
            raise FridoError(
                "conditioning/tokenizer",
                got="trained, for a dataset that was packed without captions",
                wanted="a dataset with captions, whose tokenizer lies beside it",
                do="conditioning=scene_graph or conditioning=layout, or pack a source with captions",
            )
        super().__init__(backend=load(vocabulary.tokenizer, source="tokenizer.json of the dataset"), length=length)
