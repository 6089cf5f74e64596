"""First stages side by side: scales, quantizers and encoders, the same images seen, two seeds.

    python experiments/first_stages/table.py            # about 25 minutes on two CPU cores; continues where it stopped
    python experiments/first_stages/table.py --help

Every arm is a run of its own (`python -m frido.run ... stages=[data,autoencoder]`); the table is made of the
`evaluation.json` that it leaves. They share one rendered dataset.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ARMS = {
    "1 scale: f4": ["autoencoder.factors=[4]"],
    "**2 scales: f8f4** (the others change one thing of it)": [],
    "3 scales: f16f8f4": ["autoencoder.factors=[16,8,4]"],
    "vq": ["autoencoder/quantizer=vq"],
    "fsq, 8·4·4·4 levels": ["autoencoder/quantizer=fsq"],
    "residual, depth 2": ["autoencoder/quantizer=residual"],
    "residual, depth 4": ["autoencoder/quantizer=residual", "autoencoder.quantizer.depth=4"],
    "conv encoder, width 32": ["autoencoder/encoder=conv", "autoencoder.encoder.width=32"],
    "timm encoder, convnext_atto": ["autoencoder/encoder=timm"],
}
SEEDS = (0, 1)
COMMON = ["data=scenes", "size=tiny", "tracking=files", "stages=[data,autoencoder]"]
COLUMNS = ("PSNR, dB", "rFID", "codes in use, coarsest scale first", "images/s", "parameters")


def run(overrides: list[str], *, root: Path) -> dict[str, Any]:
    """Train one arm, unless it is there; return its cards."""
    command = [sys.executable, "-m", "frido.run", *COMMON, f"run.root={root}", *overrides]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    directory = next(Path(line.partition(": ")[2]) for line in told.splitlines() if line.startswith("run directory: "))
    stage = json.loads((directory / "stages.json").read_text())["autoencoder"]
    return json.loads((directory / stage / "evaluation.json").read_text())


def cells(cards: dict[str, Any]) -> list[str]:
    values = {name: card.get("value") for name, card in cards.items()}
    (rfid,) = (value for name, value in values.items() if name.startswith("held_out/rfid/"))
    usage = (value for name, value in sorted(values.items()) if name.startswith("held_out/usage_"))
    return [
        f"{values['held_out/psnr']:.2f}",
        f"{rfid:.2f}" if rfid is not None else "–",
        ", ".join(f"{value:.0%}" for value in usage),
        f"{values['images_per_second']:.0f}",
        f"{values['parameters'] / 1e6:.2f} M",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("runs/first_stages"), help="where the runs are kept")
    root = parser.parse_args().root
    print("| | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name, overrides in ARMS.items():
        found = [cells(run([*overrides, f"autoencoder.seed={seed}"], root=root)) for seed in SEEDS]
        *measured, parameters = zip(*found, strict=True)
        print(f"| {name} | {' | '.join(' / '.join(both) for both in measured)} | {parameters[0]} |", flush=True)


if __name__ == "__main__":
    main()
