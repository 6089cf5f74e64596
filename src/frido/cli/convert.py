"""`python -m frido.convert`: official weights in, ours out, with a strict report."""

from collections.abc import Sequence
from pathlib import Path

from frido.contracts import atomic
from frido.contracts.errors import FridoError, nearest

HELP = """\
Turn official weights into ours.

  python -m frido.convert kind=msvqgan checkpoint=model.ckpt config=msvqgan_f16f8.yaml out=autoencoder.safetensors
  python -m frido.convert kind=pyunet  checkpoint=model.ckpt config=frido_f16f8.yaml   out=denoiser.safetensors

kind        msvqgan (the first stage, alone or inside a Frido checkpoint) or pyunet (the U-Net of a Frido checkpoint)
checkpoint  the official .ckpt (or .safetensors); plain tensors only, code in it is never run
config      the official YAML that it was trained with
out         the file to write; every name must fit, or nothing is written

Exit codes: 0 done, 2 bad input.
"""

SETTINGS = ("kind", "checkpoint", "config", "out")
KINDS = ("msvqgan", "pyunet")


def convert(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; return the exit code."""
    if not arguments or {"--help", "-h"} & set(arguments):
        print(HELP)
        return 0
    asked = _asked(arguments)
    checkpoint, config, out = (Path(asked[name]) for name in SETTINGS[1:])

    from safetensors.torch import save
    from torch import nn

    from frido.importers import foreign, msvqgan, pyunet
    from frido.importers.translate import load

    if asked["kind"] == "msvqgan":
        official = foreign.settings(config, "model", "params")
        official = official.get("first_stage_config", {}).get("params", official)
        module: nn.Module = msvqgan.model(official)
        names = msvqgan.table(
            num_scales=len(official["embed_dim"]),
            levels=len(official["edconfig"]["ch_mult"]),
            decoder_levels=len(official["ddconfig"]["ch_mult"]),
        )
        weights = foreign.weights(checkpoint, prefix="first_stage_model.")
        changes = msvqgan.changes(channels=official["embed_dim"][0])
        report = load(module, weights, names, source=str(checkpoint), changes=changes, keep=msvqgan.KEEP)
    else:
        module = pyunet.model(foreign.settings(config, "model", "params", "unet_config", "params"))
        weights = foreign.weights(checkpoint, prefix="model.diffusion_model.")
        report = load(module, weights, pyunet.TABLE, source=str(checkpoint))
    atomic.write_bytes(out, save({name: tensor.contiguous() for name, tensor in module.state_dict().items()}))
    print(f"wrote {out}: {report}")
    return 0


def _asked(arguments: Sequence[str]) -> dict[str, str]:
    asked = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in SETTINGS or not equals or not value:
            close = nearest(key, SETTINGS)
            raise FridoError(
                f"the argument {argument}",
                got=argument,
                wanted=", ".join(f"{name}=..." for name in SETTINGS),
                do=f"{close[0]}=..." if close else "see --help",
            )
        asked[key] = value
    for name in SETTINGS:
        if name not in asked:
            raise FridoError(name, got="nothing", wanted=f"{name}=...", do=f"add {name}=...; see --help")
    if asked["kind"] not in KINDS:
        raise FridoError("kind", got=asked["kind"], wanted=" or ".join(KINDS), do=f"kind={KINDS[0]}")
    return asked
