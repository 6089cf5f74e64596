"""The one error that a user of Frido sees: what, got, wanted, do."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import partial
from typing import Any


class FridoError(Exception):
    """Bad input from outside: a setting, a file, a command.

    Doors print it without a traceback and exit with code 2. Broken promises between our own parts
    are `assert`s and tracebacks instead.

    Args:
        what: The thing that is wrong, named as the user knows it: a config path, a file.
        got: What was found there.
        wanted: What would have been right.
        do: The next thing to type or change.
    """

    def __init__(self, what: str, *, got: object, wanted: str, do: str) -> None:
        self.what, self.got, self.wanted, self.do = what, got, wanted, do
        super().__init__(f"{what}\n  got:    {got}\n  wanted: {wanted}\n  do:     {do}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way out of another process: exceptions are pickled by their positional arguments."""
        return partial(FridoError, got=str(self.got), wanted=self.wanted, do=self.do), (self.what,)


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """Return up to `count` of the `known` names most like `name`, best first; empty where none is alike."""
    return get_close_matches(name, [str(word) for word in known], n=count, cutoff=0.5)
