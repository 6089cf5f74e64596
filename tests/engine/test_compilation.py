"""Compiled blocks compute what plain ones do, and depth makes no more graphs."""

import subprocess
import sys
from pathlib import Path


def test_blocks_share_graphs():
    """In a process of its own: the type checks that tests run under are no part of a graph."""
    script = Path(__file__).with_name("compiled.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (blocks, graphs), (more_blocks, same_graphs) = (
        [int(word) for word in row.split()] for row in done.stdout.splitlines()
    )
    assert more_blocks > 1.5 * blocks
    assert 2 < graphs == same_graphs < blocks  # two would be the whole, once for each scale
