"""The door: how errors leave a command."""

import sys
from collections.abc import Callable, Sequence
from functools import wraps

from frido.contracts.errors import FridoError

Main = Callable[..., int]  # main(argv: Sequence[str] | None = None)

BAD_INPUT = 2
INTERRUPTED = 130


def door(main: Main) -> Main:
    """Wrap a command: bad input is explained on stderr and exits with 2, without a traceback.

    Anything else that goes wrong is our mistake and keeps its traceback.
    """

    @wraps(main)
    def guarded(argv: Sequence[str] | None = None) -> int:
        try:
            return main(argv)
        except FridoError as error:
            show(error)
            return BAD_INPUT
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return INTERRUPTED

    return guarded


def show(error: FridoError) -> None:
    """Print the four parts on stderr, in colours if a person is watching."""
    if not sys.stderr.isatty():
        print(f"error: {error}", file=sys.stderr)
        return
    from rich.console import Console
    from rich.text import Text

    text = Text.assemble(("error: ", "bold red"), (error.what, "bold"))
    for name, part, style in (("got", error.got, "red"), ("wanted", error.wanted, ""), ("do", error.do, "green")):
        text.append(f"\n  {name + ':':<8}", "dim").append(str(part), style)
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)
