"""`match=parameters arm=... like=...`: an arm that has as much of something as another, so that a study is fair.

Parameters and operations are counted without computing anything; time is measured on this machine.
"""

from frido.cli.match.door import run
from frido.cli.match.request import asked_for

__all__ = ["asked_for", "run"]
