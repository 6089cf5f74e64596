"""A run directory as plain data. Reads files only; knows nothing of the code that wrote them."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.report import files

Series = tuple[tuple[int, float], ...]
"""`(images seen, value)` points, in order."""


KNOWN = ("config.yaml", "metrics.jsonl", "provenance.json", "samples", "evaluation.json", "checkpoints")
"""What a run directory has, at least one of them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the judge says of one object of a scene; what follows a semicolon in `why` of a found one is amiss."""

    object: int
    found: bool
    why: str


@dataclass(frozen=True, slots=True)
class Samples:
    """One folder of `samples/`: scenes, and the pictures made from them, row by row (`None`: no such file)."""

    tag: str
    protocol: dict[str, Any]
    scenes: tuple[Scene, ...]
    generated: tuple[Path | None, ...]
    real: tuple[Path | None, ...]
    shown: tuple[Path | None, ...]
    evaluation: dict[str, dict[str, Any]]
    """Cards as in the run's own `evaluation.json`; empty for the run's own samples."""
    found: tuple[tuple[Finding, ...], ...]
    """Row by row; as many of the first scenes as the judge was asked about."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a page shows of one run; parts that the directory lacks are empty and named in `absent`."""

    path: Path
    recipe: str
    config: dict[str, Any]
    config_text: str
    provenance: dict[str, Any]
    metrics: dict[str, Series]
    timing: dict[str, Series]
    evaluation: dict[str, dict[str, Any]]
    breakdown: dict[str, dict[str, tuple[float, int]]]
    """`{metric: {part: (value, of how many)}}`."""
    lost: tuple[tuple[str, int], ...]
    """Reasons for which samples could not be read, and how often, the most frequent first."""
    pictures: dict[str, tuple[tuple[int, Path], ...]]
    samples: dict[str, Samples]
    checkpoints: tuple[int, ...]
    profile: dict[str, Any]
    """As `profile/shares.json` holds it."""
    stages: dict[str, Path] = field(default_factory=dict)
    first_stage: "Run | None" = None
    absent: tuple[str, ...] = ()
    torn: bool = False

    @property
    def name(self) -> str:
        return f"{self.recipe}/{self.path.name}"

    @property
    def budget(self) -> int | None:
        """Images the second stage is meant to see, where the config says so."""
        training = self.config.get("training")
        places = (training.get("denoiser") if isinstance(training, dict) else None, self.config.get("size"))
        counts = (place.get("images") for place in places if isinstance(place, dict))
        return next((images for images in counts if isinstance(images, int)), None)

    def asked_for(self, stage: str) -> bool:
        """Return whether the run is to do a stage, as far as its config says."""
        stages = self.config.get("stages")
        return not isinstance(stages, list) or stage in stages

    @property
    def images_seen(self) -> int:
        logged = (points[-1][0] for points in self.metrics.values())
        return max([0, *logged, *self.checkpoints])


def is_run(directory: Path) -> bool:
    """Return whether a folder is a run directory."""
    return any((directory / name).exists() for name in KNOWN)


def read(directory: Path, *, follow: bool = True) -> Run:
    """Return the run in `directory`; with `follow`, the first stage it links to is read too.

    Raises:
        FridoError: It is no run directory, or a file in it is malformed.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise FridoError(
            f"run directory {directory}",
            got="no such folder",
            wanted="a folder that frido.run made",
            do="Check the path.",
        )
    if not is_run(directory):
        got = ", ".join(sorted(path.name for path in directory.iterdir())[:5]) or "an empty folder"
        raise FridoError(
            f"{directory} is no run directory",
            got=got,
            wanted=f"at least one of {', '.join(KNOWN)}",
            do="Give the folder that holds config.yaml, for example runs/vg_sg2im/<hash>.",
        )
    metrics, torn = files.read_series(directory / "metrics.jsonl")
    timing, _ = files.read_series(directory / "timing.jsonl")
    provenance = files.read_json(directory / "provenance.json", dict)
    links = files.read_json(directory / "stages.json", dict)
    stages = {name: directory / str(place) for name, place in links.items()}
    # Scenes are written after the pictures: without them a folder is still being filled.
    drawn = [path for path in _folders(directory / "samples") if (path / "scenes.json").is_file()]
    samples = {path.name: _samples(path) for path in drawn}
    config = files.read_yaml(directory / "config.yaml")
    first_stage = stages.get("autoencoder") if follow else None
    absent = [name for name in KNOWN if not (directory / name).exists()] if follow else []
    absent += [f"{name} ({path})" for name, path in stages.items() if follow and not path.exists()]
    return Run(
        path=directory.resolve(),
        recipe=str(provenance.get("recipe") or _recipe(directory.resolve())),
        config=config,
        config_text=(directory / "config.yaml").read_text() if config else "",
        provenance=provenance,
        metrics=metrics,
        timing=timing,
        evaluation=_cards(directory / "evaluation.json"),
        breakdown=_parts(directory / "breakdown.json"),
        lost=_lost(directory / "lost.jsonl"),
        pictures=_pictures(directory / "pictures"),
        samples=samples,
        checkpoints=tuple(
            sorted(int(path.name) for path in _folders(directory / "checkpoints") if path.name.isdigit())
        ),
        profile=files.read_json(directory / "profile" / "shares.json", dict),
        stages=stages,
        first_stage=read(first_stage, follow=False) if first_stage and _has_files(first_stage) else None,
        absent=tuple(absent),
        torn=torn,
    )


def _recipe(directory: Path) -> str:
    """Return the part of `.../runs/<recipe>/<hash>` between; a recipe's name may hold slashes."""
    parents = directory.parts[:-1]
    below = parents[len(parents) - parents[::-1].index("runs") :] if "runs" in parents else parents[-1:]
    return "/".join(below) or directory.name


def _has_files(directory: Path) -> bool:
    return directory.is_dir() and any(
        (directory / name).exists() for name in ("metrics.jsonl", "evaluation.json", "pictures", "config.yaml")
    )


def _folders(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(directory: Path) -> dict[str, tuple[tuple[int, Path], ...]]:
    """Return `{name: ((images seen, file), ...)}` of `pictures/<name>/<images>.png`; names may hold slashes."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(directory.rglob("*.png")):
        if path.stem.isdigit():
            found.setdefault(path.parent.relative_to(directory).as_posix(), []).append((int(path.stem), path))
    return {name: tuple(sorted(pictures)) for name, pictures in found.items()}


def _samples(directory: Path) -> Samples:
    where = directory / "scenes.json"
    scenes = files.each(where, files.read_json(where, list), "what Scene.to_json() wrote", _scene)

    def numbered(folder: str) -> dict[int, Path]:
        names = (re.fullmatch(r"(\d+)\.(png|jpg|jpeg|webp)", path.name) for path in (directory / folder).glob("*"))
        return {int(name[1]): directory / folder / name[0] for name in names if name}

    generated, real, shown = numbered("generated"), numbered("real"), numbered("shown")
    if generated and max(generated) >= len(scenes):
        raise FridoError(
            str(where),
            got=f"{len(scenes)} scenes, but generated/{generated[max(generated)].name}",
            wanted="a scene for every picture",
            do=files.MEND,
        )
    return Samples(
        tag=directory.name,
        protocol=files.read_json(directory / "protocol.json", dict),
        scenes=scenes,
        generated=tuple(generated.get(row) for row in range(len(scenes))),
        real=tuple(real.get(row) for row in range(len(scenes))),
        shown=tuple(shown.get(row) for row in range(len(scenes))),
        evaluation=_cards(directory / "evaluation.json"),
        found=_findings(directory / "found.json", scenes),
    )


def _cards(path: Path) -> dict[str, dict[str, Any]]:
    cards = files.read_json(path, dict)
    for name, card in cards.items():
        if not isinstance(card, dict):
            raise FridoError(f"{path}, {name!r}", got=card, wanted="a card: a JSON object", do=files.MEND)
    return cards


def _parts(path: Path) -> dict[str, dict[str, tuple[float, int]]]:
    metrics = files.read_json(path, dict).get("parts", {})
    try:
        return {
            metric: {part: (float(told["value"]), int(told["count"])) for part, told in parts.items()}
            for metric, parts in metrics.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        got = f"{type(error).__name__}: {error}"
        wanted = '{"parts": {metric: {part: {"value": number, "count": number}}}}'
        raise FridoError(str(path), got=got, wanted=wanted, do=files.MEND) from None


def _lost(path: Path) -> tuple[tuple[str, int], ...]:
    rows = files.read_lines(path)[0]
    return tuple(Counter(str(row.get("reason", "no reason told")) for row in rows).most_common())


def _scene(value: dict[str, Any]) -> Scene:
    scene = Scene.from_json(value)
    count = len(scene.objects)
    for relationship in scene.relationships:
        if not (0 <= relationship.subject < count and 0 <= relationship.object < count):
            raise ValueError(f"{relationship} in a scene of {count} objects")
    for thing in scene.objects:
        if len(thing.box) != 4 or not isinstance(thing.category, str):
            raise ValueError(str(thing))
    return scene


def _findings(path: Path, scenes: tuple[Scene, ...]) -> tuple[tuple[Finding, ...], ...]:
    rows = files.read_json(path, list)
    if len(rows) > len(scenes):
        raise FridoError(
            str(path), got=f"{len(rows)} lists", wanted=f"at most one for each of {len(scenes)} scenes", do=files.MEND
        )

    def one(row: list[dict[str, Any]]) -> tuple[Finding, ...]:
        return tuple(Finding(int(item["object"]), bool(item["found"]), str(item.get("why", ""))) for item in row)

    findings = files.each(path, rows, 'a list of {"object": index, "found": true or false, "why": text}', one)
    for row, (found, scene) in enumerate(zip(findings, scenes, strict=False)):
        if any(not 0 <= finding.object < len(scene.objects) for finding in found):
            raise FridoError(
                f"{path}, item {row}",
                got=[finding.object for finding in found],
                wanted=f"indices of the scene's {len(scene.objects)} objects",
                do=files.MEND,
            )
    return findings
