"""What is to be drawn with a finished run, and how, where that is not what it was frozen with."""

import copy
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A request to the stages `sample` and `evaluate`; without any argument, what the run's own configuration says.

    Args:
        scenes: A person's scenes, as a file.
        image: A person's picture to start from or to show, as a file.
        mask: Of the picture, as a file: white is drawn anew, black is kept.
        strength: 1 draws from noise alone, 0 takes the picture's latents; a list has one number per scale, coarsest
            first. `None` is 1 where there is a mask.
        settings: Values in place of the frozen ones, by path: `{"seed": 3, "diffusion.sampler": {...}}`.
        lengths: Of averages that the stage `ema` is to make, before anything is drawn.
        words: That name these settings in the name of a folder.
        tag: The folder below `samples/`, if it is given a name.
    """

    scenes: Path | None = None
    image: Path | None = None
    mask: Path | None = None
    strength: float | list[float] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    lengths: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    tag: str | None = None

    @property
    def personal(self) -> bool:
        """Whether it shows what a person asks for, instead of held-out scenes."""
        return self.scenes is not None or self.image is not None

    @property
    def own(self) -> bool:
        """Whether it is the run's own drawing of held-out scenes, whose numbers are the run's."""
        return not (self.personal or self.settings or self.tag)

    def folder(self, split: str) -> str:
        """Return the name of its folder below `samples/`: what is drawn, then what is not as frozen.

        Args:
            split: The held-out one.
        """
        if self.tag is not None:
            return self.tag
        files = [path.stem for path in (self.scenes, self.image, self.mask) if path is not None] or [split]
        strength = [] if self.strength is None else [word("strength", self.strength)]
        return "-".join([*files, *strength, *(self.words if self.settings else ())])

    def applied(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration with the settings in their places."""
        changed = copy.deepcopy(dict(config))
        for place, value in self.settings.items():
            node = changed
            *parents, last = place.split(".")
            for name in parents:
                node = node[name]
            node[last] = value
        return changed

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Drawing":
        """Return the request that `to_json` wrote."""
        paths = {name: Path(value[name]) for name in ("scenes", "image", "mask") if value[name] is not None}
        return cls(**{**value, **paths, "lengths": tuple(value["lengths"]), "words": tuple(value["words"])})


AS_FROZEN = Drawing()
"""The run's own."""


def word(name: str, value: object) -> str:
    """Return a setting as a part of a folder's name: `steps200`, `steps20_10`."""
    return re.sub(r"[^\w.+-]+", "_", f"{name}{value}").strip("_")
