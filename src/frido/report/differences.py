"""The settings in which runs differ, with runs of equal settings side by side in one column."""

from dataclasses import dataclass

from frido.report.compare import differences
from frido.report.members import SEEDS, Member
from frido.report.section import Section, Subject


@dataclass(frozen=True, slots=True)
class Column:
    """Runs that differ in seeds at most."""

    members: tuple[Member, ...]

    @property
    def name(self) -> str:
        return self.members[0].arm_name if len(self.members) > 1 else self.members[0].name


@dataclass(frozen=True, slots=True)
class Setting:
    """One row; `values` has a text per column."""

    key: str
    also: tuple[str, ...]
    values: tuple[str, ...]


def section(subject: Subject) -> Section | None:
    """Return what differs between several runs."""
    if not subject.several:
        return None
    columns, settings = table(subject.members)
    title = "What differs between the configs"
    values = {"columns": columns, "settings": settings}
    return Section("differences", title, "Differences", "differences.html.j2", values)


def table(members: tuple[Member, ...]) -> tuple[tuple[Column, ...], tuple[Setting, ...]]:
    """Return the columns and the rows; a row of seeds lists them."""
    found = differences([member.run for member in members])
    alike: dict[tuple[str, ...], list[Member]] = {}
    for place, member in enumerate(members):
        alike.setdefault(tuple(row.values[place] for row in found if row.key not in SEEDS), []).append(member)
    columns = tuple(Column(tuple(same)) for same in alike.values())
    settings = tuple(
        Setting(
            key=row.key,
            also=row.also,
            values=tuple(
                ", ".join(dict.fromkeys(row.values[member.place] for member in column.members)) for column in columns
            ),
        )
        for row in found
    )
    return columns, settings
