"""Words about left and right in a mirror."""

import re

SIDE = re.compile(r"(?<![a-z])(left|right)(?=(?:most|hand|handed|side|ward|wards)?(?![a-z]))", re.IGNORECASE)
OTHER = {"left": "right", "right": "left"}


def exchanged_words(text: str) -> str:
    """Return `text` with left and right exchanged wherever they are words, or begin one like "leftmost".

    A word is exchanged whatever it means ("a car left on the road"): no list of phrases would tell.
    """
    return SIDE.sub(lambda found: _like(found[1], OTHER[found[1].lower()]), text)


def _like(model: str, word: str) -> str:
    """Return `word` in capitals as those of `model`."""
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
