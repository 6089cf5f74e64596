"""`match=parameters arm=... like=...`: an arm that has as much of something as another, so that a study is fair.

Parameters and operations are counted without computing anything; time is measured on this machine.
"""

from frido.cli.match.request import asked_for
from frido.cli.match.door import run

__all__ = ["asked_for", "run"]
