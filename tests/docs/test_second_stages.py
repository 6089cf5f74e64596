"""What docs/second_stages.md says can be typed."""

import re
from pathlib import Path

import pytest

from frido.cli.compose import compose
from frido.cli.schema import check

PAGE = (Path(__file__).parents[2] / "docs" / "second_stages.md").read_text()
TABLE = re.findall(r"^\| .+ \| `([^`]+=[^`]+)` \|$", PAGE, re.MULTILINE)
COMMANDS = [
    line for line in re.findall(r"^python -m frido\.run (.+?)(?: +#.*)?$", PAGE, re.MULTILINE) if "run=" not in line
]


@pytest.mark.parametrize("overrides", [*TABLE, *COMMANDS])
def test_composes(overrides):
    check(compose("run", overrides.split()))


def test_several_conditions_at_once_compose():
    (typed,) = re.findall(r"`(conditioning=several [^`]+)`", PAGE)
    assert "labels" in compose("run", typed.split())["conditioning"]["parts"]


def test_the_page_has_its_overrides():
    assert len(TABLE) > 15 and len(COMMANDS) >= 3
