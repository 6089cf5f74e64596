"""A toy house with its own rooms and configuration folder, so that these tests depend on no real variant."""

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frido.cli import launch, options, schema, signatures, sources, worker
from frido.cli.drawing import Drawing

ANYWHERE = (
    "devices: 1\nnodes: 1\ntf32: true\nchannels_last: false\ncompile: none\nmax_restarts: 0\n"
    "stalled_after_minutes: 30.0\nslurm: null\n"
)
"""Settings of hardware that are the same in every option."""

CODE = {
    "__init__.py": "",
    "gates.py": """
        from abc import ABC
        from collections.abc import Callable, Mapping, Sequence
        from dataclasses import dataclass, field
        from pathlib import Path
        from typing import Any, ClassVar, Literal, NamedTuple, Optional, Union

        from frido.contracts.errors import FridoError

        Width = int | None


        class Gate(ABC):
            def __init__(self, *, channels: int, hidden: int) -> None:
                self.channels, self.hidden = channels, hidden


        class Spade(Gate):
            pass


        class Film(Spade):
            def __init__(self, *, channels: int, strength: float) -> None:
                if strength < 0:
                    raise FridoError("gate.strength", got=strength, wanted="0 or more", do="gate.strength=1")
                super().__init__(channels=channels, hidden=0)
                self.strength = strength


        @dataclass
        class Point:
            x: int
            y: int = 2
            kind: ClassVar[str] = "point"
            tags: list[str] = field(default_factory=list)
            derived: int = field(init=False, default=0)


        @dataclass
        class Point3(Point):
            z: float = 0.0


        class Pair(NamedTuple):
            left: int
            right: int = 1


        class Everything:
            def __init__(
                self,
                *,
                whole: int,
                part: float,
                flag: bool,
                text: str,
                maybe: int | None,
                old: Optional[float],
                either: Union[int, str],
                choice: Literal["a", "b"],
                sizes: list[int],
                pair: tuple[int, float],
                many: tuple[int, ...],
                table: dict[str, float],
                folder: Path,
                make: Callable[..., Gate],
                gate: Gate,
                alias: Width,
                names: Sequence[str],
                quoted: "int",
                whatever: Any,
            ) -> None:
                self.arguments = dict(locals())


        class Holder:
            def __init__(self, *, child: object, sizes: list[int], table: dict[str, object]) -> None:
                self.child, self.sizes, self.table = child, sizes, table


        class Open:
            def __init__(self, *, one: int, **rest: Any) -> None:
                self.one, self.rest = one, rest


        class FirstStage:
            def __init__(self, *, autoencoder: object, left: int) -> None: ...


        class Conditioner:
            def __init__(self, *, vocabulary: object, left: int) -> None: ...


        class View:
            def __init__(self, *, vocabulary: object, latent_channels: object, factor: object, left: int) -> None: ...


        class Sampler:
            def __init__(self, *, schedule: object, parameterization: object, left: int) -> None: ...


        class Task:
            def __init__(self, *, denoiser: object, conditioner: object, view: object, schedule: object,
                         parameterization: object, teacher_forcing: object, layout: object, left: int) -> None: ...


        class Denoiser:
            def __init__(self, *, channels: object, context: object, tells_level: bool, gate: Callable[..., Gate],
                         sizes: list[int], table: dict[str, int]) -> None: ...


        class Plain:
            def __init__(self, *, channels: object, context: object, tells_level: bool, size: int) -> None: ...


        def function(a: int, b: str = "x") -> str:
            return b * a
    """,
    "menu.py": "from toyroom.gates import Film as Renamed\nfrom os import system\nimport os\n",
}

PARTS = (
    *("data", "autoencoder", "first_stage", "conditioning", "view", "denoiser", "task", "metrics", "tracking"),
    *("diffusion/schedule", "diffusion/parameterization", "diffusion/teacher_forcing", "diffusion/layout"),
    *("diffusion/sampler", "diffusion/guidance", "training/autoencoder", "training/denoiser"),
)

CONF = {
    "run.yaml": "defaults:\n"
    "  - _self_\n  - size: tiny\n  - hardware: cpu\n"
    + "".join(f"  - {part}: one\n" for part in PARTS)
    + "  - experiment: null\n  - study: null\n"
    "seed: 0\nstages: [data, autoencoder, latents, denoiser, sample, evaluate, report]\n"
    "engine: {dry_run: false, profile_steps: 0}\nrun: {root: runs, fresh: false}\n",
    "size/tiny.yaml": """
        # A toy.
        resolution: 64
        max_objects: 3
        scenes: 10
        autoencoder_width: 8
        num_codes: 16
        autoencoder_images: 100
        autoencoder_batch: 4
        adversarial_images: 50
        width: 12
        multipliers: [1, 2]
        gate_width: 4
        context_width: 4
        images: 100
        batch: 4
        steps: 2
        samples: 8
        autoencoder_learning_rate: 1e-3
        learning_rate: 1e-3
        warmup_images: 0
        ema_half_life_images: 10
        snapshot_every_images: 10
        log_every_images: 10
        checkpoint_every_images: 50
        picture_every_images: null
        watched: 4
    """,
    "hardware/cpu.yaml": f"# One process.\ndevice: cpu\nprecision: fp32\nthreads: 1\n{ANYWHERE}",
    "hardware/gpu.yaml": f"# One GPU.\ndevice: cuda\nprecision: bf16\nthreads: null\n{ANYWHERE}",
    **{f"{part}/one.yaml": "# The only one.\n_target_: toyroom.gates.Pair\nleft: 1\n" for part in PARTS},
    **{
        f"{part}/one.yaml": f"# The only one.\n_target_: toyroom.gates.{name}\n_partial_: true\nleft: 1\n"
        for part, name in (
            ("first_stage", "FirstStage"),
            ("conditioning", "Conditioner"),
            ("view", "View"),
            ("task", "Task"),
            ("diffusion/sampler", "Sampler"),
        )
    },
    "denoiser/one.yaml": """
        # A denoiser with a gate.
        defaults:
          - gate: spade
          - _self_
        _target_: toyroom.gates.Denoiser
        _partial_: true
        sizes: [1, 2]
        table:
          width: ${size.width}
    """,
    "denoiser/two.yaml": "# Another.\n_target_: toyroom.gates.Plain\n_partial_: true\nsize: ${size.width}\n",
    "denoiser/unfinished.yaml": "# Needs a number.\n_target_: toyroom.gates.Plain\n_partial_: true\nsize: ???\n",
    "denoiser/dangling.yaml": "# Broken.\n_target_: toyroom.gates.Plain\n_partial_: true\nsize: ${size.widht}\n",
    "denoiser/crooked.yaml": "# Broken.\n_target_: [toyroom\n",
    "denoiser/evil.yaml": "# Not ours.\n_target_: os.system\ncommand: ls\n",
    "denoiser/gate/spade.yaml": "# SPADE.\n_target_: toyroom.gates.Spade\n_partial_: true\nhidden: 4\n",
    "denoiser/gate/film.yaml": "# FiLM.\n_target_: toyroom.gates.Film\n_partial_: true\nstrength: 1.0\n",
    "experiment/gating/film.yaml": """
        # @package _global_
        # Question  Is FiLM enough?
        # Command   python -m frido.run experiment=gating/film
        # Cost      nothing
        # Expect    no
        defaults:
          - override /denoiser/gate: film
    """,
    "experiment/wrong.yaml": "# @package _global_\ndefaults:\n  - override /denoiser: towo\n",
    "experiment/lost.yaml": "# @package _global_\ndefaults:\n  - override /denoisers: one\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


@pytest.fixture
def toyroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that configurations may build from."""
    write(tmp_path / "packages" / "toyroom", CODE)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.setattr(schema, "ALLOWED", (*schema.ALLOWED, "toyroom."))
    caches = (signatures.read, sources.module, sources.module_file)
    for cache in caches:
        cache.cache_clear()
    yield tmp_path / "packages" / "toyroom"
    for cache in caches:
        cache.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "toyroom"]:
        del sys.modules[name]


@pytest.fixture
def conf(toyroom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder in the place of Frido's own; the working directory is empty."""
    folder, desk = tmp_path / "conf", tmp_path / "desk"
    write(folder, CONF)
    desk.mkdir()
    monkeypatch.chdir(desk)
    for module in (options, launch):
        monkeypatch.setattr(module, "config_dir", lambda: folder)
    monkeypatch.setattr("frido.cli.compose.config_dir", lambda: folder)
    return folder


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Calls of the worker, which does nothing but leave a report."""
    calls: list[tuple] = []

    def start(directory: Path, *, stages: list[str], drawing: Drawing) -> int:
        calls.append((directory, list(stages), Drawing.from_json(json.loads(json.dumps(drawing.to_json())))))
        (directory / "report.html").write_text("report")
        return 0

    monkeypatch.setattr(worker, "start", start)
    return calls


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run `frido.run` on arguments that it must refuse; return what it printed, in four parts and no traceback."""
    from frido.run import main

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        printed = capsys.readouterr().err
        assert printed.startswith("error: ")
        assert all(f"\n  {part}:" in printed for part in ("got", "wanted", "do"))
        assert "Traceback" not in printed
        return printed

    return run
