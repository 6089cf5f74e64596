"""Texts from templates."""

from pathlib import Path
from typing import Any

import jinja2

from frido.report.numbers import count

TEMPLATES = Path(__file__).parent / "templates"


def text(name: str) -> str:
    """Return a file of the templates' folder as it is."""
    return (TEMPLATES / name).read_text()


def filled(name: str, values: dict[str, Any]) -> str:
    """Return a template with values in it; what is no markup is escaped, and a missing value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = count
    return environment.get_template(name).render(values)
