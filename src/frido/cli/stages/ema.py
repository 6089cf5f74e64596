"""Stage `ema`: make averages of the second stage's weights, of lengths that nobody thought of while training."""

from pathlib import Path

from rich.progress import track
from safetensors.torch import save

from frido.cli.session import Session
from frido.contracts import atomic
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.engine import post_hoc, snapshots
from frido.engine.averages import length
from frido.engine.averages.power import exponent
from frido.engine.post_hoc import Profile
from frido.engine.snapshots import Snapshot


def run(session: Session) -> None:
    """Write `averages/sigma_rel_LENGTH.safetensors` for every length that is asked for, of the newest snapshot's
    moment, and beside it what it was made of."""
    with session.first_alone() as alone:
        if alone:
            listed = snapshots.found(session.directory)
            sound = [one for one in track(listed, description="checking snapshots") if snapshots.is_sound(one)]
            if not sound:
                raise _no_snapshots(session)
            for sigma_rel in session.drawing.lengths:
                print(make(session.directory, sigma_rel, sound))


def make(directory: Path, sigma_rel: float, stored: list[Snapshot]) -> str:
    """Write the average of length `sigma_rel` below `directory`, if it is not there; return what to say of it."""
    newest = stored[-1].images_seen
    kept = [Profile(exponent(one.sigma_rel), one.images_seen) for one in stored]
    fit = post_hoc.fit(kept, Profile(exponent(sigma_rel), newest))
    name = length.name(sigma_rel)
    file = length.file(directory, name)
    parts = [
        {
            "file": str(one.file.relative_to(directory)),
            "sha256": one.sha256,
            "sigma_rel": one.sigma_rel,
            "images_seen": one.images_seen,
            "coefficient": coefficient,
        }
        for one, coefficient in zip(stored, fit.coefficients, strict=True)
    ]
    told = {"sigma_rel": sigma_rel, "images_seen": newest, "residual": fit.residual, "snapshots": parts}
    if not file.is_file() or length.made_of(directory, name) != {**told, "sha256": sha256(file)}:
        terms = list(zip(stored, fit.coefficients, strict=True))
        state = post_hoc.combined(track(terms, description=f"ema {sigma_rel:g}"))
        atomic.write_bytes(file, save(dict(sorted(state.items()))))
        atomic.write_json(file.with_suffix(".json"), {**told, "sha256": sha256(file)})
    return (
        f"ema: {file}, after {newest} images from {len(stored)} snapshots; "
        f"its profile is {fit.residual:.2%} off the one asked for"
    )


def _no_snapshots(session: Session) -> FridoError:
    training = session.config["training"]["denoiser"]
    return FridoError(
        str(session.directory / "snapshots"),
        got=f"no undamaged snapshot (trained with snapshot_every_images={training['snapshot_every_images']} and "
        f"averages {', '.join(training['averages']) or 'none'})",
        wanted="power-function averages that were stored while training",
        do="train with averages@training.denoiser=post_hoc size.snapshot_every_images="
        f"{session.config['size']['checkpoint_every_images']}",
    )
