"""The plotting library that pages carry inside: Observable Plot and the d3 that it stands on, as published on npm."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def parts() -> list[dict[str, Any]]:
    """Return the card of each part, in the order in which they run: name, version, file, sha256, licence, origin."""
    return json.loads((FOLDER / "vendor.json").read_text())


def library() -> str:
    """Return the whole library as the text of one script."""
    return "\n".join((FOLDER / part["file"]).read_text() for part in parts())
