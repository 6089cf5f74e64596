"""What the stages of one run share: its configuration, its devices, and what earlier stages left on disk."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.progress import track
from safetensors.torch import load_file
from torch import Tensor

from frido.cli import drawn_with, outside, pictures, rundir
from frido.cli.build import build
from frido.cli.drawing import AS_FROZEN, Drawing
from frido.cli.locks import hold
from frido.cli.second_stage import build_task, build_view
from frido.contracts import atomic
from frido.contracts.batch import Batch
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid
from frido.contracts.scene import Scene, Vocabulary
from frido.contracts.stream import Stream
from frido.contracts.tracker import Tracker
from frido.data.evaluation import EvaluationSplit, evaluation_split
from frido.data.order import InOrder
from frido.data.rows import Rows
from frido.diffusion.given import Given
from frido.diffusion.layouts.base import Shape
from frido.diffusion.pyramid_chains import WatchPyramid
from frido.engine import checkpoint, distributed, initialization, loss_budget, precision
from frido.engine.compilation import COMPILED
from frido.engine.freezing import freeze
from frido.nn.seeded import seeded
from frido.tracking.several import SeveralTrackers


class Session:
    """A frozen run directory being worked on by this process and, under torchrun, its siblings.

    Args:
        directory: The run directory; its `config.yaml` is read as data.
        device: Where this process computes.
        drawing: What is to be drawn; its settings stand in `config` in place of the frozen ones.
    """

    def __init__(self, *, directory: Path, device: torch.device, drawing: Drawing) -> None:
        self.directory, self.device, self.drawing = directory, device, drawing
        self.config: dict[str, Any] = drawing.applied(yaml.safe_load((directory / "config.yaml").read_text()))
        self.rank, self.world_size = distributed.rank(), distributed.world_size()
        self.is_first = distributed.is_main()
        self._looked = False
        self._rows: dict[str, Rows] = {}

    @classmethod
    @contextmanager
    def open(cls, directory: Path, *, drawing: Drawing = AS_FROZEN) -> Iterator["Session"]:
        hardware = yaml.safe_load((directory / "config.yaml").read_text())["hardware"]
        if hardware["threads"] is not None:
            torch.set_num_threads(hardware["threads"])
        precision.allow_tf32(hardware["tf32"])
        patience = hardware["stalled_after_minutes"]
        with distributed.process_group(hardware["device"], stalled_after_minutes=patience) as device:
            yield cls(directory=directory, device=device, drawing=drawing)

    # Where things are

    def shared(self, stage: str) -> Path:
        """Return the folder of a stage's output, named by the hash of all that it depends on."""
        content = "" if stage == "data" else self.data_hash + self._hash_of_weights
        return rundir.stage_directory(self.config, stage, content=content).resolve()

    @cached_property
    def _hash_of_weights(self) -> str:
        """The hashes of the files that the first stage starts from, if there are any."""
        weights = self.config["first_stage"].get("weights")
        # Missing ones are refused where they are read.
        content = "" if weights is None or not Path(weights).is_file() else sha256(Path(weights))
        with suppress(FridoError):
            content += outside.initial_weights(self.config, "autoencoder") or ""
        return content

    @cached_property
    def _outside(self) -> dict[str, str]:
        """The hashes of the files that the condition reads."""
        return outside.contents(self.config)

    @property
    def facts(self) -> dict[str, str]:
        """What checkpoints of the second stage remember of what they were trained with, beside the configuration."""
        stages = {"data": self.data_hash, "autoencoder": self.path("autoencoder").name}
        return {**stages, **self._outside, **outside.started_from(self.config, self.directory)}

    def link(self, stage: str, path: Path) -> None:
        """Write into the run directory where a stage's output lies."""
        if self.is_first:
            links = self._links() | {stage: os.path.relpath(path, self.directory)}
            atomic.write_json(self.directory / "stages.json", links)
        distributed.barrier()

    def path(self, stage: str) -> Path:
        """Return where a stage's output lies.

        Raises:
            FridoError: The stage has not run yet.
        """
        links = self._links()
        if stage not in links or not (path := (self.directory / links[stage]).resolve()).exists():
            raise FridoError(
                f"{self.directory} has no finished stage {stage!r}",
                got=f"finished: {', '.join(links) or 'none'}",
                wanted=f"the output of stage {stage!r}",
                do=f"python -m frido.run run={self.directory} stages=[{stage}], or the recipe's own command.",
            )
        return path

    def _links(self) -> dict[str, str]:
        file = self.directory / "stages.json"
        return json.loads(file.read_text()) if file.exists() else {}

    @contextmanager
    def written_once(self, folder: Path, *, marker: str = "done.json") -> Iterator[bool]:
        """Yield whether `folder` is still to be filled, the same on every rank, under a lock against other runs.

        The block fills it; the `marker` is written last, so a crash leaves it to be continued.
        """
        with hold(folder, wait=True) if self.is_first else nullcontext():
            todo = distributed.from_main(not (folder / marker).exists())
            folder.mkdir(parents=True, exist_ok=True)
            yield todo
            distributed.barrier()
            if self.is_first and not (folder / marker).exists():
                atomic.write_json(folder / marker, {"ranks": self.world_size, "threads": torch.get_num_threads()})
        distributed.barrier()

    @contextmanager
    def first_alone(self) -> Iterator[bool]:
        """Yield whether this process is the first; the others wait for the end of its block."""
        yield self.is_first
        distributed.barrier()

    # Data

    @cached_property
    def data(self) -> Any:
        return build(self.config["data"])

    @cached_property
    def data_hash(self) -> str:
        """The hash of the packed dataset's description, which holds the hashes of its shards."""
        return sha256(self.path("data") / "dataset.json")

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return self.rows("train").vocabulary

    def rows(self, split: str) -> Rows:
        if split not in self._rows:
            self._rows[split] = self.data.rows(self.path("data"), split)
        return self._rows[split]

    def stream(self, *, batch: int, seed: int) -> Stream:
        """Return this rank's part of the shuffled training images."""
        self._all_there()
        return self.data.stream(self.path("data"), batch=batch, rank=self.rank, world_size=self.world_size, seed=seed)

    def _all_there(self) -> None:
        """Look once, before hours of training, whether the shards are still there."""
        if self.is_first and not self._looked:
            self.data.check(self.path("data"))
        self._looked = True

    def once(self, *, batch: int, count: int | None = None, share: bool = False) -> Iterator[Batch]:
        """Yield the first `count` training rows, all by default, as training shows them; lost ones are replaced.

        With `share`, every rank gets its own part of them.

        Raises:
            FridoError: More are lost at once than may be in all.
        """
        self._all_there()
        rows = self.rows("train")
        count = min(count or len(rows), len(rows))
        rank, ranks = (self.rank, self.world_size) if share else (0, 1)
        stream = self.data.reading.stream(
            rows, order=InOrder(len(rows)), batch=batch * ranks, rank=rank, world_size=ranks
        )
        try:
            for start in range(0, count - rank * batch, batch * ranks):
                found = stream.at(start)
                loss_budget.check(found.lost, most=self.data.max_loss)
                yield found.rows(0, min(batch, count - rank * batch - start))
        finally:
            stream.close()

    def in_order(self, split: str, *, batch: int, count: int, share: bool = False) -> Iterator[Batch]:
        """Yield the first `count` held-out samples of a split by row; with `share`, every rank gets its own part.

        Raises:
            FridoError: One cannot be read: numbers on other samples would be other numbers.
        """
        found = self.rows(split)
        count = min(count, len(found))
        first, step = (self.rank * batch, self.world_size * batch) if share else (0, batch)
        for start in range(first, count, step):
            yield self.data.reading.batch(found, list(range(start, min(start + batch, count))))

    def shown(self, split: str, row: int) -> Scene:
        """Return what can be seen of a held-out scene in the part of its image that is shown."""
        return self.data.reading.held_out.shown(self.rows(split).scene(row))

    def held_out(self, wanted: str) -> EvaluationSplit:
        """Return the split that stands for `wanted`, with a note of what its numbers do not mean."""
        split, note = evaluation_split(self.path("data"), wanted)
        return EvaluationSplit(split, "; ".join(part for part in (note, self.data.note) if part) or None)

    # Models

    def new_task(self, autoencoder: Any = None) -> Any:
        """Return the second stage with its initial weights, a function of `seed`.

        Args:
            autoencoder: Whose latents it is for; `None` is the frozen one.

        Raises:
            FridoError: This run was trained with other files for its condition.
        """
        outside.check_unchanged(self._outside, self.directory)
        torch.manual_seed(self.config["seed"])
        task = build_task(self.config, autoencoder=autoencoder or self.frozen, vocabulary=self.vocabulary)
        COMPILED[self.config["hardware"]["compile"]](task.denoiser)
        return self.placed(task)

    def placed(self, module: Any) -> Any:
        """Return `module` on this process's device, its convolutions in the memory format that is asked for."""
        channels_last = self.config["hardware"]["channels_last"]
        return module.to(self.device, memory_format=torch.channels_last if channels_last else torch.preserve_format)

    def new_view(self, autoencoder: Any) -> Any:
        """Return what the denoiser is shown of images, for the latents of `autoencoder`, with its initial weights."""
        return build_view(self.config, autoencoder=autoencoder, vocabulary=self.vocabulary)

    def trained_task(self) -> Any:
        """Return the second stage with the weights that are drawn with: averaged (EMA) ones, as a rule."""
        task = self.new_task()
        drawn_with.load(task, self.directory, self.config["training"]["denoiser"])
        return task.eval().requires_grad_(False)

    @cached_property
    def frozen(self) -> Any:
        """The trained first stage."""
        autoencoder = build(untrained(self.config["autoencoder"]))
        autoencoder.load_state_dict(load_file(self.path("autoencoder") / "autoencoder.safetensors"))
        return self.placed(autoencoder).eval().requires_grad_(False)

    def autocast(self) -> AbstractContextManager:
        return precision.autocast(self.config["hardware"]["precision"], self.device)

    @torch.no_grad()
    def with_latents(self, batch: Batch) -> Batch:
        """Return a batch of images with their latents by the frozen first stage, on the CPU."""
        with self.autocast():
            pyramid = self.frozen.encode(batch.pixels.to(self.device))
        return batch._replace(pyramid=tuple(latent.float().cpu() for latent in pyramid))

    def check_second_stage(self, autoencoder: Any) -> None:
        """Raise `FridoError` where the second stage that is asked for could not follow `autoencoder`.

        Said before hours are spent on training that.
        """
        if "denoiser" not in self.config["stages"]:
            return
        with seeded(self.config["seed"]):
            task = self.new_task(autoencoder)
        self.check_sampling(task)
        for batch in self.once(batch=1, count=1):
            task.view.check(batch)
        if self.config["training"]["denoiser"]["images"]:
            training = build(self.config["training"]["denoiser"])
            freeze(task, task.phases(), training.frozen)
            if training.init_from is not None and checkpoint.latest(self.directory) is None:
                initialization.check(task, Path(training.init_from), parts=training.init_parts)

    def check_sampling(self, task: Any) -> None:
        """Raise `FridoError` where sampler or guidance do not fit a second stage."""
        diffusion = self.config["diffusion"]
        task.check_sampling(build(diffusion["sampler"]), build(diffusion["guidance"]))

    @torch.no_grad()
    def with_view(self, batch: Batch, view: Any) -> Batch:
        """Return a batch of images with what `view` prepares of them, on the CPU."""
        view.check(batch)
        with self.autocast():
            prepared = view.prepare(batch.to(self.device), encode=self.frozen.encode)
        return batch._replace(view=None if prepared is None else prepared.cpu())

    @torch.no_grad()
    def generate(
        self,
        task: Any,
        batch: Batch,
        *,
        given: Sequence[Given | None] | None = None,
        watch: WatchPyramid | None = None,
    ) -> Tensor:
        """Return images in [-1, 1] for the scenes of a batch, on the CPU.

        Of the batch, the annotations and what was prepared for the view are looked at; a sample's noise is a function
        of its position alone. `given` is what of each scale is not drawn, or not from noise alone; `watch` is told
        what the denoiser believes on the way.
        """
        batch = batch._replace(images=None, pyramid=None, segmentation=None).to(self.device)
        diffusion = self.config["diffusion"]
        with self.autocast():
            pyramid = task.generate(
                batch.annotations,
                sampler=build(diffusion["sampler"]),
                guidance=build(diffusion["guidance"]),
                shapes=self._latent_shapes,
                seed=self.config["seed"],
                keys=batch.positions,
                view=batch.view,
                given=given,
                watch=watch,
            )
        return self.decoded(pyramid)

    def first_noise(self, task: Any, positions: Tensor) -> Pyramid:
        """Return the noise that `generate` begins with for the scenes at `positions`, on the CPU."""
        return task.first_noise(shapes=self._latent_shapes, seed=self.config["seed"], keys=positions.cpu())

    @torch.no_grad()
    def decoded(self, pyramid: Pyramid) -> Tensor:
        """Return the images in [-1, 1] of latents on this process's device, on the CPU."""
        with self.autocast():
            return self.frozen.decode(pyramid).float().clamp(-1, 1).cpu()

    @property
    def _latent_shapes(self) -> list[Shape]:
        resolution = self.config["size"]["resolution"]
        sides = [resolution // factor for factor in self.frozen.factors]
        return [(channels, side, side) for channels, side in zip(self.frozen.channels, sides, strict=True)]

    # Numbers and pictures

    @contextmanager
    def tracker(self, directory: Path, name: str, *, budget: int) -> Iterator[Tracker]:
        """Track into `directory`; on other ranks than the first, into nothing."""
        if not self.is_first:
            yield SeveralTrackers(trackers=[])
            return
        tracker = build(self.config["tracking"]).open(
            directory, name=name, config=self.config, provenance=self.provenance(), budget=budget
        )
        try:
            yield tracker
        finally:
            tracker.close()

    def provenance(self) -> dict[str, Any]:
        return json.loads((self.directory / "provenance.json").read_text())

    def picture(
        self,
        tracker: Tracker,
        directory: Path,
        name: str,
        rows: Mapping[str, Tensor],
        *,
        items: Sequence[Mapping[str, Any]],
        images: int,
    ) -> None:
        """Write images in [-1, 1] as one grid and track it: a row under each name, a column for each of `items`."""
        if self.is_first:
            folder = directory / "pictures" / name
            pictures.keep_card(folder, pictures.card(rows, items), images=images)
            path = folder / f"{images:012d}.png"
            together = pictures.to_uint8(torch.cat([row.cpu() for row in rows.values()]))
            pictures.save(pictures.grid(together, columns=len(items)), path)
            tracker.picture(name, path, images=images)

    def protocol(self, *, count: int, note: str | None) -> dict[str, Any]:
        """Return how samples are drawn, for whoever reads their numbers."""
        diffusion = self.config["diffusion"]
        return {
            "sampler": diffusion["sampler"],
            "steps": diffusion["sampler"].get("steps"),
            "guidance": diffusion["guidance"],
            "teacher_forcing": diffusion["teacher_forcing"],
            "ema": drawn_with.told(self.directory, self.config["training"]["denoiser"]),
            "precision": self.config["hardware"]["precision"],
            "seed": self.config["seed"],
            "count": count,
            "images_seen": self.config["training"]["denoiser"]["images"],
            "note": note,
        }


def untrained(node: Any) -> Any:
    """Return a node without the files that its training started from (`weights`): what is loaded next replaces them."""
    if not isinstance(node, dict):
        return node
    return {key: None if key == "weights" else untrained(value) for key, value in node.items()}


def progress(batches: Iterable[Batch], label: str) -> Iterable[Batch]:
    """Show a progress bar on the first rank."""
    return track(batches, description=label) if distributed.is_main() else batches
