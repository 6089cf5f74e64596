"""Foreign state dicts enter through one table of names, and leave a report.

A table maps name patterns to ours. In a pattern, `{word}` stands for one dotted part of a name and a final `*` for
the rest of it; both keep their text on the way over. The first pattern that fits wins:

    TABLE = {
        "decoder.up.{level}.block.{i}.norm1.{p}": "decoder.levels.{level}.blocks.{i}.norm_in.{p}",
        "quantize.embedding.weight": "quantizer.codebook",
        "loss.*": DROP,
    }
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from torch import Tensor, nn

from frido.contracts.errors import FridoError


class Drop(Enum):
    """The type of `DROP`, the target of names that we have no use for."""

    DROP = "drop"


DROP = Drop.DROP

Table = Mapping[str, str | Drop]
Changes = Mapping[str, Callable[[Tensor], Tensor]]
"""Deliberate changes of values, by pattern of *our* names (for example: another order of input channels)."""


@dataclass
class Report:
    """What became of every name. `state` is strict only when `unmatched`, `missing` and `reshaped` are empty."""

    state: dict[str, Tensor] = field(default_factory=dict, repr=False)
    renamed: dict[str, str] = field(default_factory=dict)
    """Official name to ours."""
    dropped: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """Our names whose values are not the official ones."""
    unmatched: list[str] = field(default_factory=list)
    """Official names that no pattern fits, or that lead to no parameter of ours."""
    missing: list[str] = field(default_factory=list)
    """Our names that nothing was found for."""
    reshaped: list[str] = field(default_factory=list)
    """Our names that were found in another shape, as `name: (theirs) for (ours)`."""

    @property
    def complete(self) -> bool:
        return not (self.unmatched or self.missing or self.reshaped)

    def __str__(self) -> str:
        parts = [f"{len(self.renamed)} tensors taken, {len(self.changed)} changed, {len(self.dropped)} dropped"]
        for title in ("unmatched", "missing", "reshaped"):
            names = getattr(self, title)
            if names:
                parts.append(f"{len(names)} {title}: " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else ""))
        return "; ".join(parts)


def _compile(pattern: str) -> re.Pattern[str]:
    """Turn `a.{word}.b.*` into a regular expression with named groups."""
    stem, rest = (pattern[:-1], r"(?P<rest_>.*)") if pattern.endswith("*") else (pattern, "")
    parts = re.split(r"\{(\w+)\}", stem)
    seen: set[str] = set()
    text = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            text += re.escape(part)
        elif part in seen:
            text += f"(?P={part})"
        else:
            seen.add(part)
            text += rf"(?P<{part}>[^.]+)"
    return re.compile(text + rest)


def _fill(target: str, found: Mapping[str, str]) -> str:
    words = {name: text for name, text in found.items() if name != "rest_"}
    if target.endswith("*"):
        return target[:-1].format(**words) + found["rest_"]
    return target.format(**words)


def translate(
    official: Mapping[str, Tensor], table: Table, *, ours: Mapping[str, Tensor], changes: Changes | None = None
) -> Report:
    """Rename (and, where `changes` says so, alter) official tensors into a state dict of ours.

    Args:
        official: Names and tensors as found in the foreign file.
        table: Patterns of official names to patterns of ours, or `DROP`.
        ours: The state dict to be filled; only names and shapes are read, so meta tensors do.
        changes: Alterations by pattern of our names, applied before shapes are compared.
    """
    patterns = [(_compile(theirs), target) for theirs, target in table.items()]
    alterations = [(_compile(pattern), change) for pattern, change in (changes or {}).items()]
    for pattern, _ in alterations:
        assert any(map(pattern.fullmatch, ours)), f"a change of {pattern.pattern} changes nothing"
    report = Report()
    for name, tensor in official.items():
        found, target = next(
            ((match, target) for pattern, target in patterns if (match := pattern.fullmatch(name))), (None, DROP)
        )
        if found is None:
            report.unmatched.append(name)
            continue
        if isinstance(target, Drop):
            report.dropped.append(name)
            continue
        own = _fill(target, found.groupdict())
        if own not in ours:
            report.unmatched.append(f"{name} (as {own})")
            continue
        assert own not in report.state, f"two official names become {own}"
        for pattern, change in alterations:
            if pattern.fullmatch(own):
                tensor = change(tensor)
                report.changed.append(own)
        if tensor.shape != ours[own].shape:
            report.reshaped.append(f"{own}: {tuple(tensor.shape)} for {tuple(ours[own].shape)}")
        report.renamed[name] = own
        report.state[own] = tensor
    report.missing = [name for name in ours if name not in report.state]
    return report


def fit(
    module: nn.Module,
    official: Mapping[str, Tensor],
    table: Table,
    *,
    source: str,
    changes: Changes | None = None,
    keep: tuple[str, ...] = (),
) -> Report:
    """Return official tensors as a state dict of `module` (which may lie on the meta device), all of them or none.

    Args:
        source: Where the tensors come from, for the message when they do not fit.
        keep: Our names that the official file knows nothing of; they are left out of the state.

    Raises:
        FridoError: A tensor fits nowhere, one of ours is not filled, or a shape differs.
    """
    ours = {name: tensor for name, tensor in module.state_dict().items() if name not in keep}
    report = translate(official, table, ours=ours, changes=changes)
    if not report.complete:
        raise FridoError(
            f"weights of {source}",
            got=str(report),
            wanted=f"every tensor to fit a parameter of {type(module).__name__}, and every parameter to be filled",
            do="build the model with the settings that the weights were trained with",
        )
    return report


def load(
    module: nn.Module,
    official: Mapping[str, Tensor],
    table: Table,
    *,
    source: str,
    changes: Changes | None = None,
    keep: tuple[str, ...] = (),
) -> Report:
    """Fill `module` with official tensors as `fit` returns them; what is in `keep` stays as it is."""
    report = fit(module, official, table, source=source, changes=changes, keep=keep)
    module.load_state_dict({**{name: module.state_dict()[name] for name in keep}, **report.state}, strict=True)
    return report
