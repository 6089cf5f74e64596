"""The plain part of a configuration: what is no constructor's argument. Checked by `frido.cli.schema`.

Names and types are read from these classes like any constructor's; `check_ranges` does the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from frido.contracts.errors import FridoError

STAGES = ("data", "autoencoder", "latents", "codes", "denoiser", "ema", "sample", "evaluate", "report", "prove_resume")
"""In their order. `codes` is for other programs: nothing here reads it; `ema` is for a run that is trained;
`prove_resume` stands alone."""


class Node:
    """Stands in annotations for any object to build: a mapping with `_target_`."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a run is written, and whether to start anew where one is already."""

    root: str
    fresh: bool


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """What a job asks of Slurm for each machine; null leaves it to the cluster."""

    partition: str | None
    account: str | None
    time_minutes: int | None
    gpus_per_node: int | None
    cpus_per_node: int | None
    mem_gb: int | None
    warn_seconds: int
    additional: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What a run may use; it changes rounding at most, so it is no part of a run's hash."""

    device: Literal["cpu", "cuda"]
    devices: int
    nodes: int
    precision: Literal["fp32", "bf16", "fp16"]
    tf32: bool
    channels_last: bool
    compile: Literal["none", "whole", "blocks"]
    threads: int | None
    max_restarts: int
    stalled_after_minutes: float
    slurm: Slurm | None


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What is found out about a run without changing it."""

    dry_run: bool
    profile_steps: int


@dataclass(frozen=True, kw_only=True)
class Size:
    """The dials that scale a run; options interpolate them. Budgets are counted in images seen."""

    resolution: int
    max_objects: int
    scenes: int
    autoencoder_width: int
    num_codes: int
    autoencoder_images: int
    autoencoder_batch: int
    adversarial_images: int
    width: int
    multipliers: list[int]
    gate_width: int
    context_width: int
    images: int
    batch: int
    steps: int
    samples: int
    autoencoder_learning_rate: float
    learning_rate: float
    warmup_images: int
    ema_half_life_images: int
    snapshot_every_images: int | None
    log_every_images: int
    checkpoint_every_images: int
    picture_every_images: int | None
    watched: int


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """The mathematics of the second stage."""

    schedule: Node
    parameterization: Node
    teacher_forcing: Node
    layout: Node
    sampler: Node
    guidance: Node


@dataclass(frozen=True, kw_only=True)
class Training:
    """How each stage is trained."""

    autoencoder: Node
    denoiser: Node


@dataclass(frozen=True, kw_only=True)
class Margin:
    """How large a difference of one number matters, in its own unit."""

    margin: float
    better: Literal["lower", "higher"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a study asks, written down before it runs; read by `frido.report.comparison`."""

    question: str
    reference: str
    confidence: float
    correction: Literal["holm", "none"]
    metrics: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration of `python -m frido.run`."""

    data: Node
    autoencoder: Node
    first_stage: Node
    conditioning: Node
    view: Node
    denoiser: Node
    task: Node
    diffusion: Diffusion
    training: Training
    metrics: Node
    tracking: Node | dict[str, Any] | list[Any]
    size: Size
    hardware: Hardware
    engine: Engine
    run: Run
    stages: list[
        Literal[
            "data", "autoencoder", "latents", "codes", "denoiser", "ema", "sample", "evaluate", "report", "prove_resume"
        ]
    ]
    seed: int
    comparison: Comparison | None = None
    debug: dict[str, Any] | None = None


def check_ranges(config: Mapping[str, Any]) -> None:
    """Refuse values of the right type that make no sense."""
    for name, value in config["size"].items():
        least = 0 if name in ("warmup_images", "adversarial_images", "autoencoder_images", "images") else 1
        if name.endswith("learning_rate"):
            _require(f"size.{name}", value, value > 0, "more than 0", 0.001)
        elif isinstance(value, list):
            _require(f"size.{name}", value, bool(value) and min(value) >= 1, "numbers of 1 or more", "[1,2]")
        elif value is not None:
            _require(f"size.{name}", value, value >= least, f"{least} or more", 16)
    hardware, steps = config["hardware"], config["engine"]["profile_steps"]
    threads, minutes = hardware["threads"], hardware["stalled_after_minutes"]
    for name, least in (("devices", 1), ("nodes", 1), ("max_restarts", 0)):
        _require(f"hardware.{name}", hardware[name], hardware[name] >= least, f"{least} or more", least)
    _require("hardware.threads", threads, threads is None or threads >= 1, "1 or more, or null", 2)
    _require("hardware.stalled_after_minutes", minutes, minutes > 0, "more than 0", 30)
    for name, value in (hardware["slurm"] or {}).items():
        _require(f"hardware.slurm.{name}", value, not isinstance(value, int) or value >= 1, "1 or more", 60)
    _require("engine.profile_steps", steps, steps >= 0, "0 or more", 8)
    root = config["run"]["root"]
    _require("run.root", root, bool(root.strip()), "the path of a folder", "runs")
    ordered = [stage for stage in STAGES if stage in config["stages"]]
    wanted = f"some of {', '.join(STAGES)}, each once, in this order"
    _require(
        "stages", config["stages"], bool(ordered) and ordered == config["stages"], wanted, f"[{','.join(ordered)}]"
    )
    _require("seed", config["seed"], 0 <= config["seed"] < 2**63, "0 or more", 0)
    if config.get("comparison"):
        _check_comparison(config["comparison"])


def _check_comparison(comparison: Mapping[str, Any]) -> None:
    share, metrics = comparison["confidence"], comparison["metrics"]
    _require("comparison.confidence", share, 0.5 < share < 1, "more than 0.5 and less than 1", 0.95)
    _require("comparison.metrics", metrics, bool(metrics), "a margin for at least one number", "{...}")
    for name, one in metrics.items():
        told = one if isinstance(one, Mapping) else {}
        margin = told.get("margin")
        number = isinstance(margin, int | float) and not isinstance(margin, bool) and margin > 0
        sound = set(told) == {"margin", "better"} and number and told["better"] in ("lower", "higher")
        wanted = "margin, more than 0 in its unit, and better, lower or higher"
        _require(f"comparison.metrics.{name}", one, sound, wanted, "{margin: 0.02, better: higher}")


def _require(path: str, value: object, holds: bool, wanted: str, example: object) -> None:
    if not holds:
        raise FridoError(path, got=repr(value), wanted=wanted, do=f"{path}={example}")
