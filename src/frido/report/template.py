"""Texts from templates."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from frido.report.numbers import count, short

TEMPLATES = Path(__file__).parent / "templates"


def text(name: str) -> str:
    """Return a file of the templates' folder as it is."""
    return (TEMPLATES / name).read_text()


def filled(name: str, values: dict[str, Any]) -> str:
    """Return a template with values in it; what is no markup is escaped, and a missing value is an error."""
    return _environment().get_template(name).render(values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "short": lambda value: "–" if value is None else short(value)}
    return environment
