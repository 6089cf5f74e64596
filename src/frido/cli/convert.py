"""`python -m frido.convert`: official weights in, a run directory of ours out, with a strict report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frido.cli.suggest import key_and_value
from frido.contracts.errors import FridoError, nearest

if TYPE_CHECKING:
    from torch import Tensor

HELP = """\
Turn official weights into a run directory that every other command accepts.

First stages:

  python -m frido.convert checkpoint=vq-f8/model.ckpt
  python -m frido.convert checkpoint=model.ckpt config=msvqgan_f16f8.yaml name=frido experiment=vg_sg2im size=paper
  python -m frido.run run=runs/frido/HASH stages=[data,autoencoder]   # measures what is missing, trains nothing
  python -m frido.run ... first_stage.weights=runs/frido/HASH/weights/FILE size.autoencoder_images=0   # in a recipe

Whole diffusion models of Frido and of latent-diffusion, with everything that they were trained with:

  python -m frido.convert checkpoint=model.ckpt config=frido_f16f8_vg.yaml name=frido_vg data=vg_sg2im size=paper \\
      conditioning.tokenizer.file=vocab.txt
  python -m frido.run run=runs/frido_vg/HASH                          # data, first stage, samples, scores, page
  python -m frido.run run=runs/frido_vg/HASH scenes=my.json           # draw my scene

checkpoint  a .ckpt or .safetensors of Frido's MS-VQGAN, of a VQGAN (taming-transformers, latent-diffusion), of a KL
            autoencoder (latent-diffusion), or of a diffusion model (Frido, latent-diffusion).
            Only tensors are read; code in a file is never run. Every name must fit, or nothing is written.
config      the official YAML: of a diffusion model it is needed, of a first stage it may be left out. It must agree
            with the weights, and its noise schedule with the one in the checkpoint
weights     of a diffusion model: ema (averaged), or raw (as last trained); raw where the YAML says use_ema: False,
            else ema
kind        first_stage, frido or ldm; found without being said. kind=first_stage takes that of a diffusion model alone
name        of the recipe that the run directory is filed under; converted without it
the rest    as for python -m frido.run: data=..., experiment=..., size=..., run.root=..., diffusion/sampler=...: all
            but what the checkpoint describes. Nothing is trained: size.autoencoder_images and size.images are 0

A diffusion model needs data=... with what it is conditioned on, in the numbering that it was trained with:

  captions        any dataset with captions (Frido text, LDM text), and conditioning.tokenizer.file=vocab.txt of
                  bert-base-uncased
  scene graphs    any dataset with relationships, and the same file (Frido scene graphs). The official YAML tells them
                  from captions by its caption_ann_path; conditioning=scene_graph_text says so
  layouts, labels a dataset whose categories are those of the training in the official order, and not more objects per
                  scene than there (size.max_objects, or data.reading.max_objects)
  classes         as many categories as classes (1001 classes are 1000 and none; conditioning=class says so for other
                  numbers)
  semantic maps   a dataset with segmentations and one category less than channels
  inpainting, super-resolution, unconditional: any images

Exit codes: 0 done, 2 bad input.
"""

SETTINGS = ("kind", "checkpoint", "config", "weights", "name")
CHOICES = {"kind": ("first_stage", "frido", "ldm"), "weights": ("ema", "raw")}


def convert(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; return the exit code."""
    if not arguments or {"--help", "-h"} & set(arguments):
        print(HELP)
        return 0
    asked = {key: value for key, value in map(key_and_value, arguments) if key in SETTINGS}
    overrides = [argument for argument in arguments if key_and_value(argument)[0] not in SETTINGS]
    _check(asked, overrides)

    from frido.cli.conversion import diffusion, directory, first_stage, recipe
    from frido.importers import foreign

    name = directory.check_name(asked.get("name", "converted"))
    checkpoint, yaml = Path(asked["checkpoint"]), Path(asked["config"]) if asked.get("config") else None
    settings = foreign.settings(yaml, "model", "params") if yaml else {}
    config: dict[str, Any] | None = None
    if "unet_config" not in settings:  # before a large file is read
        config = recipe.of_first_stage(overrides)
    tensors = foreign.tensors(checkpoint)
    common: dict[str, Any] = {"checkpoint": checkpoint, "name": name, "arguments": arguments}
    if _kind(tensors, asked) == "first_stage":
        first_stage.convert(tensors, settings, config or recipe.of_first_stage(overrides), **common)
        return 0
    assert yaml is not None
    official = diffusion.Official.read(yaml)
    if asked.get("kind", official.kind) != official.kind:
        do = f"kind={official.kind}, or leave it out"
        raise FridoError("kind", got=asked["kind"], wanted=f"{official.kind}, as the YAML says", do=do)
    diffusion.convert(tensors, official, weights=asked.get("weights"), overrides=overrides, **common)
    return 0


def _check(asked: Mapping[str, str], overrides: Sequence[str]) -> None:
    """Refuse settings of this command that are missing or make no sense."""
    for key, choices in CHOICES.items():
        if key in asked and asked[key] not in choices:
            raise FridoError(
                key, got=asked[key], wanted=" or ".join(choices), do=f"leave it out, or {key}={choices[0]}"
            )
    if not asked.get("checkpoint"):
        close = [argument for argument in overrides if nearest(key_and_value(argument)[0], ["checkpoint"])]
        got = close[0] if close else "nothing"
        raise FridoError("checkpoint", got=got, wanted="checkpoint=FILE", do="add checkpoint=FILE")
    if "out" in (key_and_value(override)[0] for override in overrides):
        do = "leave out out=...; name=... and run.root=... say where it is put"
        raise FridoError("out", got="out=...", wanted="a run directory, not a file", do=do)


def _kind(tensors: Mapping[str, "Tensor"], asked: Mapping[str, str]) -> str:
    """Return "first_stage", or another word for a whole diffusion model."""
    from frido.importers.latent_diffusion import DENOISER

    whole = any(name.startswith(DENOISER) for name in tensors)
    kind = asked.get("kind", "diffusion" if whole else "first_stage")
    if kind != "first_stage" and not whole:
        got = f"a checkpoint without {DENOISER}*"
        raise FridoError(f"kind={kind}", got=got, wanted="a diffusion model", do="kind=first_stage, or leave it out")
    if kind != "first_stage" and not asked.get("config"):
        raise FridoError(
            "config",
            got="nothing, with the checkpoint of a diffusion model",
            wanted="config=FILE, the official YAML that it was trained with",
            do="add config=FILE, or kind=first_stage to convert its first stage alone",
        )
    if kind == "first_stage" and "weights" in asked:
        raise FridoError(
            f"weights={asked['weights']}",
            got="a first stage, which is released with one kind of weights",
            wanted="weights=... with a diffusion model only",
            do=f"leave out weights={asked['weights']}",
        )
    return kind
