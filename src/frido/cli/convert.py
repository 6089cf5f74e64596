"""`python -m frido.convert`: official weights in, ours out, with a strict report."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frido.cli import provenance
from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.locks import hold
from frido.cli.rundir import RunDirectory
from frido.cli.schema import check
from frido.cli.suggest import key_and_value
from frido.contracts import atomic
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError, nearest

if TYPE_CHECKING:
    from torch import Tensor

    from frido.importers.translate import Report

HELP = """\
Turn official weights into ours.

First stages become a run directory that every other command accepts:

  python -m frido.convert checkpoint=vq-f8/model.ckpt
  python -m frido.convert checkpoint=model.ckpt config=msvqgan_f16f8.yaml name=frido experiment=vg_sg2im size=paper
  python -m frido.run run=runs/frido/HASH stages=[data,autoencoder]   # measures what is missing, trains nothing
  python -m frido.run ... first_stage.weights=runs/frido/HASH/weights/FILE size.autoencoder_images=0   # in a recipe

checkpoint  a .ckpt or .safetensors of Frido's MS-VQGAN, of a VQGAN (taming-transformers, latent-diffusion), of a KL
            autoencoder (latent-diffusion), or of a diffusion model that holds one of these and its scale factors.
            Only tensors are read; code in a file is never run. What it is and how it is built is read off its
            names and shapes, and every name must fit, or nothing is written.
config      the official YAML, if at hand: it must agree with the weights; quant_beta and scale_factor are taken from it
name        of the recipe that the run directory is filed under; converted without it
the rest    as for python -m frido.run: experiment=..., data=..., size=..., run.root=..., all but the autoencoder.
            size.autoencoder_images is 0 unless given: the weights are used as they are, not trained further

U-Nets of Frido become a file:

  python -m frido.convert kind=pyunet checkpoint=model.ckpt config=frido_f16f8.yaml out=denoiser.safetensors

Exit codes: 0 done, 2 bad input.
"""

SETTINGS = ("kind", "checkpoint", "config", "out", "name")
KINDS = ("first_stage", "pyunet")
UNTRAINED = "size.autoencoder_images"


def convert(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; return the exit code."""
    if not arguments or {"--help", "-h"} & set(arguments):
        print(HELP)
        return 0
    asked = {key: value for key, value in map(key_and_value, arguments) if key in SETTINGS}
    overrides = [argument for argument in arguments if key_and_value(argument)[0] not in SETTINGS]
    kind = asked.get("kind", KINDS[0])
    if kind not in KINDS:
        raise FridoError("kind", got=kind, wanted=" or ".join(KINDS), do=f"kind={KINDS[0]}, or leave it out")
    for name in ("checkpoint", "config", "out") if kind == "pyunet" else ("checkpoint",):
        if not asked.get(name):
            close = [argument for argument in overrides if nearest(key_and_value(argument)[0], [name])]
            raise FridoError(name, got=close[0] if close else "nothing", wanted=f"{name}=FILE", do=f"add {name}=FILE")
    if kind == "pyunet":
        return unet(asked, overrides)
    if "out" in asked:
        do = "leave out out=...; name=... and run.root=... say where it is put"
        raise FridoError("out", got=asked["out"], wanted="a first stage to become a run directory", do=do)
    return first_stage(asked, overrides, arguments)


def first_stage(asked: Mapping[str, str], overrides: Sequence[str], arguments: Sequence[str]) -> int:
    """Write a run directory around the first stage in a checkpoint."""
    config = _composed(overrides)
    name = asked.get("name", "converted")
    if not re.fullmatch(r"\w[\w-]*(/\w[\w-]*)*", name):
        raise FridoError("name", got=repr(name), wanted="letters, digits, - and _", do="name=converted")
    checkpoint = Path(asked["checkpoint"])
    config["autoencoder"], state, report = imported(checkpoint, Path(asked["config"]) if asked.get("config") else None)

    from safetensors.torch import save

    content = save(state)
    file = f"first_stage-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
    # Named by its content while the run directory gets its name: the path then says where that is.
    config["first_stage"] = {**config["first_stage"], "weights": file}
    directory = RunDirectory.planned(config, recipe=name)
    config["first_stage"]["weights"] = str(directory.path / "weights" / file)
    check(config)
    directory.make()
    with hold(directory.path, wait=False):
        if config["run"]["fresh"] and (aside := directory.set_aside()):
            print(f"set aside: {aside}")
        atomic.write_bytes(directory.path / "weights" / file, content)
        directory.freeze(config)
        facts = provenance.collect(door="frido.convert", arguments=arguments, hardware=config["hardware"])
        provenance.record(directory.path, facts)
        origin = {"checkpoint": str(checkpoint), "sha256": sha256(checkpoint), "report": str(report)}
        provenance.complete(directory.path, converted={**origin, "dropped": report.dropped})
    print(f"{checkpoint}: {report}")
    for name, count in Counter(name.partition(".")[0] for name in report.dropped).items():
        print(f"dropped on purpose: {count} of {name}.*")
    factors = (
        f"{state['scale_factors'].tolist()}" if state["calibrated"] else "none; the stage autoencoder measures them"
    )
    print(f"scale factors: {factors}")
    print(f"run directory: {directory.path}")
    print(f"next: python -m frido.run run={directory.path} stages=[data,autoencoder]")
    return 0


def imported(checkpoint: Path, official: Path | None) -> tuple[dict[str, Any], dict[str, "Tensor"], "Report"]:
    """Return node and state dict of the first stage in a checkpoint, and what became of every name.

    Args:
        checkpoint: Of a first stage, or of a diffusion model with one inside.
        official: YAML to hold the weights against, of either.

    Raises:
        FridoError: A file cannot be used, or the two disagree.
    """
    import torch

    from frido.importers import first_stage, first_stage_names, first_stage_settings, foreign
    from frido.importers.translate import fit

    tensors = foreign.tensors(checkpoint)
    settings = foreign.settings(official, "model", "params") if official else {}
    weights = first_stage.weights_in(tensors)
    stage = first_stage.read(weights)
    params = settings.get("first_stage_config", {}).get("params", settings)
    if official:
        first_stage_settings.check(stage, params)
    node = first_stage.node(stage, commitment=params.get("quant_beta", first_stage.COMMITMENT))
    with torch.device("meta"):
        module = build(node)
    report = fit(
        module,
        weights,
        first_stage_names.table(stage),
        source=str(checkpoint),
        changes=first_stage_names.changes(stage),
        keep=first_stage_names.KEEP,
    )
    state = {name: tensor.float().contiguous() for name, tensor in report.state.items()}
    factors = first_stage.scale_factors(tensors, settings, scales=len(stage.factors))
    state["calibrated"] = torch.tensor(factors is not None)
    state["scale_factors"] = torch.ones(len(stage.factors)) if factors is None else factors
    return node, state, report


def unet(asked: Mapping[str, str], overrides: Sequence[str]) -> int:
    """Write the U-Net of a Frido checkpoint as a file."""
    for argument in overrides:
        close = nearest(key_and_value(argument)[0], SETTINGS)
        raise FridoError(
            f"the argument {argument}",
            got=argument,
            wanted=", ".join(f"{name}=..." for name in SETTINGS[:4]),
            do=f"{close[0]}=..." if close else "see --help",
        )
    checkpoint, config, out = (Path(asked[name]) for name in SETTINGS[1:4])

    from safetensors.torch import save

    from frido.importers import foreign, pyunet
    from frido.importers.translate import load

    module = pyunet.model(foreign.settings(config, "model", "params", "unet_config", "params"))
    weights = foreign.weights(checkpoint, prefix="model.diffusion_model.")
    report = load(module, weights, pyunet.TABLE, source=str(checkpoint))
    atomic.write_bytes(out, save({name: tensor.contiguous() for name, tensor in module.state_dict().items()}))
    print(f"wrote {out}: {report}")
    return 0


def _composed(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of a run that trains no first stage, unless told to."""
    for override in overrides:
        key = key_and_value(override)[0]
        taken = key == "first_stage.weights" or key.replace("/", ".").partition(".")[0] == "autoencoder"
        if taken and not key.startswith("autoencoder/loss"):
            raise FridoError(
                f"the argument {override}",
                got=override,
                wanted="settings of all but the autoencoder, which the checkpoint describes",
                do=f"leave out {override}",
            )
    given = any(key_and_value(override)[0] == UNTRAINED for override in overrides)
    return compose("run", [*overrides, *([] if given else [f"{UNTRAINED}=0"])])
