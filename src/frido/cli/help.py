"""The text of `python -m frido.run --help`, read from the configuration folder."""

from pathlib import Path

from frido.cli import options
from frido.cli.suggest import keys_of_groups

USAGE = """\
Train, sample, evaluate and report one model of scene images, as configured.

  python -m frido.run                                        the main job, on embedded procedural scenes
  python -m frido.run experiment=vg_sg2im                    a recipe: train, sample, evaluate, report
  python -m frido.run experiment=vg_sg2im data=scenes size=tiny   the same on the embedded scenes, minutes on a CPU
  python -m frido.run run=RUN_DIR stages=[sample] scenes=my.json  draw your own scenes with a trained run
  python -m frido.run run=RUN_DIR stages=[sample,evaluate] diffusion/sampler=ddim seed=1   sample it in another way
  python -m frido.run run=RUN_DIR scenes=my.json image=photo.png mask=hole.png   fill a picture where the mask is white
  python -m frido.run experiment=vg_sg2im stages=[prove_resume]   train a small copy twice, once killed: the same bits?
  python -m frido.run real=DIR generated=DIR   score images that no run of ours made (out=FILE.json)
  python -m frido.run study=gating                           a study: its runs, once each; typed again it goes on
  python -m frido.run -m seed=0,1,2 denoiser/trunk=shared,per_scale   a run of every combination
  python -m frido.run match=parameters arm=per_scale like=shared   write an arm as large as another (flops, time)
  python -m frido.run ... --cfg job                          print the resulting configuration, run nothing

The same command again continues an interrupted run; on a finished one it prints the path of its report.
run.fresh=true sets the earlier run aside (<hash>.1, <hash>.2, ...) and starts anew; shared stages are kept.

Arguments: group=option takes another part, key.path=value changes one setting of it, for example
  denoiser=pyunet denoiser.width=64 size=small hardware=gpu seed=1 stages=[data,autoencoder]
Beside match=: by=KEY.PATH of the whole number that is searched (size.width), with=[KEY.PATH=VALUE] for more settings
  of the new arm, name=NAME of it; all other arguments are those of the study that it is for.
Beside run=RUN_DIR: stages, scenes, hardware, tracking; ema=NAME of an average of the weights, or ema=0.075 of any
  length (stages=[ema,sample] makes it first); of sampling diffusion/sampler, diffusion/guidance, size.samples,
  seed, tag=NAME of the folder; and image=FILE with mask=FILE (white: drawn anew, black: kept) or strength=0..1 (1: from
  noise alone; a list has one number per scale, coarsest first, and 0 takes the picture as it is).
Sweeps (study=, -m): hydra/launcher=local, slurm or print; hydra.launcher.at_once, .retries, .devices.
Exit codes: 0 done, 1 prove_resume found a difference or a job of a sweep is not finished, 2 bad input,
  75 asked to stop and saved, 130 interrupted."""


def text(directory: Path, primary: str = "run") -> str:
    """Return usage, recipes with their questions, and groups with their options."""
    menu = options.groups(directory)
    return "\n".join([USAGE, "", *_recipes(directory, menu), *_parts(directory, menu, primary)])


def _recipes(directory: Path, menu: dict[str, list[str]]) -> list[str]:
    lines = []
    for group in options.RECIPES:
        if group in menu:
            lines.append(f"{group}=")
            lines += [
                _line(name, options.headline(directory / group / f"{name}.yaml", "Question")) for name in menu[group]
            ]
            lines.append("")
    return lines


def _parts(directory: Path, menu: dict[str, list[str]], primary: str) -> list[str]:
    """Return groups as they are typed; one that the primary mounts elsewhere is typed `group@place`."""
    typed: dict[str, list[str]] = {}
    for key in keys_of_groups(primary, directory):
        typed.setdefault(key.partition("@")[0], []).append(key)
    lines = []
    for group, names in menu.items():
        if group not in options.RECIPES:
            lines.append(", ".join(f"{key}=" for key in typed.get(group, [group])))
            lines += [_line(name, options.headline(directory / group / f"{name}.yaml")) for name in names]
            lines.append("")
    return lines


def _line(name: str, comment: str) -> str:
    return f"  {name:<24} {comment}".rstrip()
