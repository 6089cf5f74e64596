"""What a page is made of: a subject, and sections that say something of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frido.report.members import Member
from frido.report.run import Run
from frido.report.study import Study


@dataclass(frozen=True, slots=True)
class Subject:
    """What a page is about: runs, the studies that they belong to, and how many scenes to show of each samples."""

    members: tuple[Member, ...]
    studies: tuple[Study, ...]
    scenes: int

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(member.run for member in self.members)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)

    @property
    def arms(self) -> tuple[tuple[Member, ...], ...]:
        """The members of each arm; runs that differ in their seed alone."""
        numbers = dict.fromkeys(member.arm for member in self.members)
        return tuple(tuple(member for member in self.members if member.arm == number) for number in numbers)

    @property
    def several(self) -> bool:
        return len(self.members) > 1


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a heading of its own and a link to it.

    Args:
        id: Its place in the page and in links: small letters and hyphens.
        title: The heading.
        link: The word or two in the navigation.
        partial: The template, below `templates/`, which sees `values` and what every template sees
            (`members`, `names`, `several`).
        values: Of the template.
        data: What its script draws, as JSON holds it; the script finds it at `frido.data.sections[id]`.
        scripts: Files below `templates/` that this section needs beside the page's own.
        styles: The same.
    """

    id: str
    title: str
    link: str
    partial: str
    values: Mapping[str, Any]
    data: Any = None
    scripts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
