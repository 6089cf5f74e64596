"""One run, killed again and again, the same command after each: it ends with the bits of a quiet one."""

import json
import math
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from frido.cli.proof import differences, processes

RECIPE = ["experiment=vg_sg2im", "data=scenes", "size=tiny", "tracking=files", "size.checkpoint_every_images=512"]
SMALL = ["debug=smoke", "size.scenes=64", "data.source.val=8", "data.source.test=8", "metrics=none", "size.images=512",
         "size.autoencoder_images=512", "size.checkpoint_every_images=64", "size.samples=4",
         "size.watched=8", "hardware.threads=1"]  # fmt: skip

START_SECONDS = 5.0
"""Of a life, in which nothing is trained."""
PACKING = "stages/data/.*.partial/*"
WRITING = ("stages/autoencoder/*/checkpoints/.*.partial-*", "vg_sg2im/*/checkpoints/.*.partial-*")


def chaos(tmp_path: Path, overrides: list[str], *, kills: int, seed: int) -> None:
    """Run once in peace and once through `kills` SIGKILLs to everything at once; compare all that is left.

    Of ten kills one comes while packing, three while a checkpoint is written, and the others at any moment.
    """
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    draw, hit, start = random.Random(seed), Counter[str](), time.monotonic()
    assert life(quiet, overrides, after=math.inf, moment=()) is None
    seconds = time.monotonic() - start
    for number in range(kills):
        if number < max(1, kills // 10):
            name = life(killed, overrides, after=0.0, moment=(PACKING,))
        else:
            # So long that all lives together do not reach the end.
            after = START_SECONDS + draw.uniform(0, 1.2 * seconds / kills)
            name = life(killed, overrides, after=after, moment=WRITING if number % 3 == 0 else ())
        assert name is not None, f"the run was at its end before kill {number + 1}"
        hit[name] += 1
    assert life(killed, overrides, after=math.inf, moment=()) is None
    for name, count in hit.most_common():
        print(f"{count:>3} x {name}")
    print(f"{kills} kills: {time.monotonic() - start:.0f} s, of which {seconds:.0f} s in peace")

    compared = differences.compare(quiet, killed)
    print(differences.table(compared.rows))
    assert compared.differences == {}
    assert {"stages", "vg_sg2im"} == {row.folder.partition("/")[0] for row in compared.rows}
    assert hit["packing"] >= kills // 10 and hit["writing a checkpoint"] >= kills // 5


def life(root: Path, overrides: list[str], *, after: float, moment: tuple[str, ...]) -> str | None:
    """Type the command and kill it; return what it was at, or `None` if it came to its end before.

    Args:
        root: Of the run.
        overrides: Of the command.
        after: Seconds before which it is not killed.
        moment: Patterns of files of which a new one has to be there then; none is waited for where empty.
    """
    root.mkdir(exist_ok=True)
    log, start = root.with_suffix(".log"), time.monotonic()
    before = found(root, (PACKING, *WRITING))

    def come() -> bool:
        return time.monotonic() - start > after and (not moment or bool(found(root, moment) - before))

    with processes.started([*RECIPE, *overrides, f"run.root={root}"], log=log) as process:
        if not processes.wait(process, until=come) or process.poll() is not None:
            assert process.wait() == 0, log.read_text()[-3000:]
            return None
        processes.kill(process)
    # What it waited for may have another name by now: one of an earlier life, whose unfinished shard is written anew.
    if found(root, (PACKING,)) - (set() if moment == (PACKING,) else before):
        return "packing"
    return "writing a checkpoint" if found(root, WRITING) - before else at(root)


def found(root: Path, patterns: tuple[str, ...]) -> set[Path]:
    return {path for pattern in patterns for path in root.glob(pattern)}


def at(root: Path) -> str:
    """Return the stage that a run was at, by those that are done; or on its way there."""
    done = json.loads("".join(file.read_text() for file in root.glob("vg_sg2im/*/stages.json")) or "{}")
    order = {"latents": "denoiser or later", "autoencoder": "latents", "data": "autoencoder"}
    return next((after for stage, after in order.items() if stage in done), "data")


@pytest.mark.slow
def test_six_kills(tmp_path):
    """About three minutes."""
    chaos(tmp_path, SMALL, kills=6, seed=1)


@pytest.mark.slow
def test_thirty_kills(tmp_path):
    """The demo, on one thread: half an hour."""
    chaos(tmp_path, ["hardware.threads=1"], kills=30, seed=0)
