"""`python -m frido.run real=DIR generated=DIR`: numbers of images that no run of ours made."""

from frido.cli.scoring.door import asked_for, score

__all__ = ["asked_for", "score"]
