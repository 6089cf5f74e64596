"""`engine.dry_run=true`: what a configuration would need, on machines of any size, found out without them.

Nothing is written, trained or downloaded.
"""

from frido.cli.dry_run.run import report

__all__ = ["report"]
