"""The door of `match=`: find the value, write the arm."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.cli.compose import compose
from frido.cli.match import request, written
from frido.cli.match.request import QUANTITIES, Request
from frido.cli.match.search import between, search
from frido.cli.options import config_dir
from frido.cli.schema import check
from frido.cli.suggest import suggestions, unresolved
from frido.contracts.errors import FridoError

TOLERANCE = 0.05
"""How far from the other arm a matched one may be, as a share."""
COARSER = 2
"""Times as many channels as in the other arm that a group norm may take together. A width that shares no factor with
the number of groups leaves one group of all channels, which is another network."""

NEIGHBOURS = 3
"""Widths to each side that are looked at for groups."""


def run(arguments: Sequence[str], *, directory: Path | None = None) -> int:
    """Write the arm that the arguments ask for; return the exit code.

    Args:
        arguments: Of `python -m frido.run`.
        directory: The configuration folder, if not Frido's own.
    """
    directory = directory or config_dir()
    asked = request.read(arguments, directory)
    file = directory / "arm" / f"{asked.name}.yaml"
    written.refuse_others(file)
    like = _composed(asked.like, asked.others, directory)
    dial = _Dial(asked, like, directory)
    print(f"{asked.like}: {written.amount(dial.target, asked.quantity)}", flush=True)
    value = dial.turned()
    text = written.text(
        asked,
        value=value,
        own=dial.amount(value),
        target=dial.target,
        command=shlex.join(["python", "-m", "frido.run", *arguments]),
    )
    written.write(file, text)
    print(f"{asked.name}: {written.amount(dial.amount(value), asked.quantity)}, {asked.by}={value}")
    print(f"written: {file}")
    return 0


def _composed(arm: str, overrides: Sequence[str], directory: Path) -> dict[str, Any]:
    config = compose("run", [*overrides, f"arm={arm}"], directory=directory)
    check(config)
    return config


class _Dial:
    """A setting of the new arm, and what each of its values gives.

    Args:
        asked: The command.
        like: Configuration of the arm that is matched.
        directory: The configuration folder.
    """

    def __init__(self, asked: Request, like: Mapping[str, Any], directory: Path) -> None:
        # torch comes in here, once the command is known to be right
        from frido.cli.dry_run import dataset
        from frido.cli.match import measure

        self.asked, self.directory, self.measure = asked, directory, measure
        overrides = [*asked.others, *asked.fixed, f"arm={asked.arm}"]
        self.start = _whole_number(_composed(asked.arm, overrides[:-1], directory), asked.by)
        self.uninterpolated = unresolved("run", overrides, directory)
        self.looked = dataset.look(like)
        self.target = measure.AMOUNTS[asked.quantity](like, self.looked)
        self.finest = COARSER * measure.coarsest_norm(like, self.looked)
        self.amounts: dict[int, float] = {}
        self.norms: dict[int, float | None] = {}

    def amount(self, value: int) -> float:
        """Return how much the arm has with the dial at `value`."""
        if value not in self.amounts:
            self.amounts[value] = self.measure.AMOUNTS[self.asked.quantity](self.config(value), self.looked)
        return self.amounts[value]

    def config(self, value: int) -> dict[str, Any]:
        """Return the configuration of the arm with the dial at `value`; composing it anew would take a while."""
        from omegaconf import OmegaConf

        config = OmegaConf.create(self.uninterpolated)
        OmegaConf.update(config, self.asked.by, value)
        plain = OmegaConf.to_container(config, resolve=True)
        assert isinstance(plain, dict)
        resolved = {str(key): inner for key, inner in plain.items()}
        check(resolved)
        return resolved

    def builds(self, value: int) -> bool:
        """Return whether a denoiser can be built with the dial at `value`."""
        if value not in self.norms:
            try:
                self.norms[value] = self.measure.coarsest_norm(self.config(value), self.looked)
            except Exception:  # whatever a constructor has against a value
                self.norms[value] = None
        return self.norms[value] is not None

    def fits(self, value: int) -> bool:
        """Return whether it can be built, with group norms about as fine as in the arm that is matched."""
        return self.builds(value) and (self.norms[value] or 0.0) <= self.finest

    def turned(self) -> int:
        """Return the value that comes nearest.

        Raises:
            FridoError: None comes near enough.
        """
        value = self._nearest(self.fits)
        if value is None or abs(self.off(value)) > TOLERANCE:
            raise self._unreachable(value)
        return value

    def off(self, value: int) -> float:
        """Return how much more the arm has with the dial at `value`, as a share of what it is to have."""
        return self.amount(value) / self.target - 1

    def _nearest(self, fits: Any) -> int | None:
        start = self.start if fits(self.start) else between(0, 2 * self.start, fits)
        if start is None:
            return None
        found = [value for value in search(self.amount, fits=fits, target=self.target, start=start) if value]
        return min(found, key=lambda value: abs(self.off(value)))

    def _unreachable(self, value: int | None) -> FridoError:
        by, like = self.asked.by, f"{self.asked.like} in {QUANTITIES[self.asked.quantity]}"
        got = "no value that can be built" if value is None else f"{by}={value}, {written.share(self.off(value))}"
        do = "another dial (by=KEY.PATH), or with=[KEY.PATH=VALUE] that changes the arm besides"
        near = self._nearest(self.builds)
        if near is not None and abs(self.off(near)) <= TOLERANCE:
            got += f"; {by}={near}, {written.share(self.off(near))}, has group norms of {self.norms[near]:g} channels"
            do = f"with=denoiser.groups={self._groups(near)}"
        return FridoError(
            f"match={self.asked.quantity}",
            got=got,
            wanted=f"within {100 * TOLERANCE:g} % of {like}, with group norms of at most {self.finest:g} channels",
            do=do,
        )

    def _groups(self, near: int) -> int:
        """Return the number of groups with which a width that is near enough has norms like the other arm's."""
        channels = self.finest / COARSER
        widths = [v for v in range(max(1, near - NEIGHBOURS), near + NEIGHBOURS + 1) if self.builds(v)]
        choices = [
            (max(width / count / channels, channels * count / width), count)
            for width in widths
            if abs(self.off(width)) <= TOLERANCE
            for count in range(1, width + 1)
            if width % count == 0
        ]
        return min(choices)[1]


def _whole_number(config: Mapping[str, Any], path: str) -> int:
    node: Any = config
    for word in path.split("."):
        node = node.get(word) if isinstance(node, Mapping) else None
    if type(node) is not int or node < 1:
        close = suggestions(path, config) if node is None else []
        raise FridoError(
            f"by={path}",
            got="no such setting" if node is None else repr(node),
            wanted="a setting that is a whole number of 1 or more",
            do=f"by={close[0] if close else request.BY}",
        )
    return node
