"""Names as places in a page."""

import re


class Slugs:
    """Makes ids of names, each different, all beginning with one word.

    Args:
        beginning: Small letters and hyphens.
    """

    def __init__(self, beginning: str) -> None:
        self.beginning = beginning
        self._given: set[str] = set()

    def of(self, name: str) -> str:
        """Return the id of `name`; the same names in the same order give the same ids."""
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        text, again = f"{self.beginning}-{plain}", 1
        while text in self._given:
            again += 1
            text = f"{self.beginning}-{plain}-{again}"
        self._given.add(text)
        return text
