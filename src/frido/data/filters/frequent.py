"""Which words are common."""

from collections import Counter
from collections.abc import Iterable


def common(told: Iterable[Iterable[str]], least: int) -> tuple[str, ...]:
    """Return the words that `least` of the things named in `told` have, most common first; ties as first met."""
    counts = Counter(word for words in told for word in dict.fromkeys(words))
    return tuple(word for word, count in counts.most_common() if count >= least)
