"""Second stages side by side: layouts and trunks, the same images seen, one frozen first stage, one seed.

    python experiments/second_stages/table.py           # about 40 minutes on two CPU cores; continues where it stopped
    python experiments/second_stages/table.py --help

Every arm is a run of its own (`python -m frido.run ...`) of the recipe vg_sg2im on procedural scenes at size tiny; the
table is made of the files that it leaves. A page that compares them: `python -m frido.report RUN_DIR... --out FILE`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ARMS = {
    "**native, shared** (the others change one thing of it)": [],
    "stacked layout": ["diffusion/layout=stacked"],
    "a trunk per scale": ["denoiser/trunk=per_scale"],
    "outermost level per scale": ["denoiser/trunk=partly_shared"],
}
COMMON = ["experiment=vg_sg2im", "data=scenes", "size=tiny", "tracking=files"]


def run(overrides: list[str], *, root: Path) -> Path:
    """Train, sample and score one arm, unless it is there; return its run directory."""
    command = [sys.executable, "-m", "frido.run", *COMMON, f"run.root={root}", *overrides]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return next(Path(line.partition(": ")[2]) for line in told.splitlines() if line.startswith("run directory: "))


def cells(directory: Path) -> dict[str, str]:
    cards: dict[str, Any] = json.loads((directory / "evaluation.json").read_text())
    (fid,) = (card["value"] for name, card in cards.items() if name.startswith("fid/"))
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    held_out = {name: row[name] for row in rows for name in row if name.startswith("validation/loss/scale")}
    speeds = [json.loads(line) for line in (directory / "timing.jsonl").read_text().splitlines()]
    per_second = [row[name] for row in speeds for name in row if name == "denoiser/images_per_second"]
    parameters = json.loads((directory / "provenance.json").read_text())["parameters"]["denoiser"]
    recall, shuffled = (cards[f"judge/recall{suffix}"]["value"] for suffix in ("", "_shuffled"))
    return {
        "parameters": f"{parameters / 1e6:.2f} M",
        "recall / shuffled": f"{recall:.3f} / {shuffled:.3f}",
        "FID": f"{fid:.1f}",
        "held-out loss, coarse": f"{held_out['validation/loss/scale0']:.4f}",
        "held-out loss, fine": f"{held_out['validation/loss/scale1']:.4f}",
        "training, images/s": f"{sorted(per_second)[len(per_second) // 2]:.0f}" if per_second else "–",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("runs/second_stages"), help="where the runs are kept")
    root = parser.parse_args().root
    for number, (name, overrides) in enumerate(ARMS.items()):
        directory = run(overrides, root=root)
        found = cells(directory)
        if not number:
            print("| | " + " | ".join(found) + " |")
            print("|---" * (len(found) + 1) + "|")
        print(f"| {name} | {' | '.join(found.values())} |", flush=True)


if __name__ == "__main__":
    main()
