"""The command that proves of any recipe that killing it changes no bit; and that it can fail."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from frido.cli import prove_resume
from frido.cli.compose import compose
from frido.cli.proof import differences, processes
from frido.cli.proof.short import SCENES, shortened
from frido.cli.schema import check
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.run import main as run
from tests.conf.menu import GROUPS

SMALL = ["data=scenes", "size=tiny", "size.resolution=32", "size.scenes=64", "size.width=16", "size.watched=8",
         "size.autoencoder_width=16", "hardware.threads=1", "tracking=files", "metrics=none"]  # fmt: skip
PYRAMID = ["experiment=vg_sg2im", "autoencoder/loss=adversarial", "denoiser.dropout=0.1"]
ACCUMULATED = ["training.autoencoder.micro_batch=8", "training.denoiser.micro_batch=8"]
TWO_RANKS = ["hardware=ddp", "hardware.device=cpu", "hardware.devices=2", "hardware.threads=1"]
QUICK = ["experiment=ldm_unconditional", "autoencoder=identity", "autoencoder.factors=[4]", "size.autoencoder_images=0"]
"""Three starts, not four: only the denoiser trains."""


def prove(root: Path, *overrides: str) -> int:
    return run([*overrides, "stages=[prove_resume]", f"run.root={root}"])


def proof(root: Path) -> dict[str, object]:
    """Return the only result below a root; nothing else is left there."""
    (place,) = (root / "prove_resume").glob("[!.]*")
    assert [path.name for path in place.iterdir()] == ["proof.json"]
    return json.loads((place / "proof.json").read_text())


@pytest.mark.slow
def test_pyramid_with_a_discriminator(tmp_path, capfd):
    """Two micro-batches, bf16, dropout, averages, a worker that reads ahead, a discriminator that joins halfway."""
    assert prove(tmp_path, *SMALL, *PYRAMID, *ACCUMULATED, "hardware.precision=bf16") == 0
    said = capfd.readouterr().out
    assert "identical" in said and "killed after its checkpoint" in said
    found = proof(tmp_path)
    assert found["killed_at_images"] == {"autoencoder": 4 * 8, "denoiser": 4 * 8}
    folders = " ".join(row["folder"] for row in found["compared"])
    for part in ("stages/autoencoder/", "stages/latents/", "/checkpoints", "/snapshots", "/pictures"):
        assert part in folders
    assert {"versions", "ranks", "threads", "git"} <= found.keys()


def test_two_ranks(tmp_path):
    assert prove(tmp_path, *SMALL, "experiment=ldm_text", *TWO_RANKS) == 0
    assert proof(tmp_path)["ranks"] == 2


TASKS = {
    "autoencoding": [*QUICK[:1], "autoencoder=kl", "autoencoder/loss=adversarial", *ACCUMULATED],
    "pyramid diffusion": [*PYRAMID, *ACCUMULATED, "hardware.precision=bf16"],
    "LDM": ["experiment=ldm_text", *ACCUMULATED, "denoiser.dropout=0.1", "hardware.precision=bf16"],
}


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("task", TASKS)
def test_every_task(tmp_path, task, ranks):
    processes_ = TWO_RANKS if ranks == 2 else []
    small = [*SMALL, "metrics=scenes"]
    assert prove(tmp_path, *small, *processes_, *TASKS[task]) == 0
    assert proof(tmp_path)["ranks"] == ranks


@pytest.mark.slow
def test_three_ranks(tmp_path):
    """From three summands on the order of a sum counts, and with it where in a buffer DDP puts a gradient."""
    three = [*TWO_RANKS, "hardware.devices=3", "size.batch=24", "size.autoencoder_batch=24", "size.watched=9"]
    assert prove(tmp_path, *SMALL, *QUICK, *three) == 0


def test_it_can_fail(tmp_path, capfd):
    """A weight that is changed after the kill, with its checksum, makes it say which one."""
    done = threading.Event()

    def change() -> None:
        """Change the checkpoint as soon as it is there: the command then kills, and continues from it."""
        pattern = "prove_resume/*/interrupted/ldm_unconditional/*/checkpoints/[0-9]*"
        while not (found := list(tmp_path.glob(pattern))):
            time.sleep(0.001)
        weights, manifest = found[0] / "model.safetensors", found[0] / "manifest.json"
        tensors = load_file(weights)
        name = sorted(tensors)[0]
        tensors[name] = tensors[name] + np.ones_like(tensors[name])
        save_file(tensors, weights)
        digests = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**digests, weights.name: sha256(weights)}, indent=2, sort_keys=True) + "\n")
        done.set()

    threading.Thread(target=change, daemon=True).start()
    assert prove(tmp_path, *SMALL, *QUICK) == prove_resume.DIFFERENT
    assert done.is_set()
    said = capfd.readouterr().out
    assert "NOT identical" in said
    half, whole = "000000000016/model.safetensors", "000000000032/model.safetensors"
    assert half in said and whole in said and "by at most 1;" in said
    assert "metrics.jsonl\n    line 3: denoiser/" in said
    (place,) = (tmp_path / "prove_resume").glob("[!.]*")
    assert sorted(path.name for path in place.iterdir()) == ["data", "interrupted", "quiet"]


def test_a_recipe_that_fails_by_itself_is_said_with_its_words(tmp_path, capsys):
    assert prove(tmp_path, *SMALL, *QUICK, "denoiser.width=7") == 2
    said = capsys.readouterr().err
    assert "a small copy of the recipe" in said and "exit code" in said and "run=" in said


@pytest.mark.parametrize(
    ("overrides", "fix"),
    [
        (["stages=[data,prove_resume]"], "stages=[prove_resume]"),
        (["stages=[prove_resume]", "size.images=0", "size.autoencoder_images=0"], "size.images="),
        (["stages=[prove_resume]", "hardware=slurm"], "hardware=ddp"),
    ],
)
def test_bad_uses(tmp_path, capsys, overrides, fix):
    assert run([*overrides, f"run.root={tmp_path}"]) == 2
    assert fix in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_run_directories_are_refused(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(json.dumps(compose("run", [])))
    assert run([f"run={tmp_path}", "stages=[prove_resume]"]) == 2
    assert "provenance.json with stages=[prove_resume]" in capsys.readouterr().err


def test_two_at_once_are_refused(tmp_path, capsys):
    arguments = [*SMALL, *QUICK, "stages=[prove_resume]", f"run.root={tmp_path}"]
    command = [sys.executable, "-m", "frido.run", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as first:
        assert first.stdout is not None and b"steps each" in first.stdout.readline()
        assert run(arguments) == 2
        assert f"process {first.pid}" in capsys.readouterr().err
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=30) == 130
    # What it had started is gone with it.
    assert not [line for line in commands() if str(tmp_path) in line]


def commands() -> list[str]:
    """Return the command lines of all processes."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("recipe", GROUPS["experiment"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_every_recipe_can_be_made_short(tmp_path, recipe, ranks):
    config = compose("run", [f"experiment={recipe}", "size=paper", *(TWO_RANKS if ranks == 2 else [])])
    short = shortened(config, root=tmp_path, tracking=config["tracking"])
    check(short)
    for training in short["training"].values():
        assert training["batch"] % ranks == 0 and training["images"] == 8 * training["batch"]
        assert training["checkpoint_every_images"] == training["images"] // 2
        assert training["schedule"]["warmup_images"] < training["images"] // 2
    assert short["stages"] == ["data", "autoencoder", "latents", "denoiser"]
    kept = ("autoencoder", "conditioning", "view", "denoiser", "task", "hardware", "seed", "metrics")
    assert {name: short[name] for name in kept} == {name: config[name] for name in kept}


def test_what_is_made_short(tmp_path):
    switched_off = ["size.picture_every_images=null", "size.snapshot_every_images=null", "size.autoencoder_images=0"]
    accumulated = ["training.denoiser.micro_batch=8", "size.scenes=8", "diffusion.sampler.steps=1"]
    config = compose("run", ["autoencoder/loss=adversarial", *switched_off, *accumulated])
    short = shortened(config, root=tmp_path, tracking=config["tracking"])
    autoencoder, denoiser = short["training"]["autoencoder"], short["training"]["denoiser"]
    assert (denoiser["batch"], denoiser["micro_batch"]) == (8, 4)
    assert (autoencoder["batch"], autoencoder["micro_batch"], autoencoder["images"]) == (4, None, 0)
    assert denoiser["picture_every_images"] is None and denoiser["snapshot_every_images"] is None
    assert short["first_stage"]["loss"]["start_images"] == 2 * autoencoder["batch"]
    assert short["data"]["source"]["train"] == 8 and short["data"]["source"]["val"] == SCENES["val"]
    assert short["diffusion"]["sampler"]["steps"] == 1


def test_quotas_stay_whole(tmp_path):
    config = compose("run", ["task/scales=quotas", "task.scales.quotas=[1,4]", "size.batch=20"])
    short = shortened(config, root=tmp_path, tracking=config["tracking"])
    check(short)
    assert short["training"]["denoiser"]["batch"] == 5


class TestDifferences:
    """What is said of two folders that are not the same."""

    @pytest.fixture
    def pair(self, tmp_path) -> tuple[Path, Path]:
        one, other = tmp_path / "one", tmp_path / "other"
        folder = one / "vg" / "abc" / "checkpoints" / "000000000008"
        folder.mkdir(parents=True)
        weights = {"a.weight": np.arange(6, dtype="f4").reshape(2, 3), "b": np.zeros((), dtype="i8")}
        save_file(weights, folder / "model.safetensors")
        (folder / "state.json").write_text(json.dumps({"due": True, "window": {"sums": {"loss": 1.5}}}))
        (one / "vg" / "abc" / "metrics.jsonl").write_text('{"images": 4, "loss": 2.0}\n{"images": 8, "loss": 1.0}\n')
        (one / "vg" / "abc" / "timing.jsonl").write_text(f"{time.monotonic()}\n")
        (one / "vg" / "abc" / "provenance.json").write_text("{}")
        shutil.copytree(one, other)
        return one, other

    def told(self, pair: tuple[Path, Path]) -> str:
        found = differences.compare(*pair).differences
        return "; ".join(f"{name}: {', '.join(told)}" for name, told in found.items())

    def test_equal(self, pair):
        (pair[1] / "vg" / "abc" / "timing.jsonl").write_text("9\n")
        (pair[1] / "vg" / "abc" / "provenance.json").write_text("[]")
        found = differences.compare(*pair)
        assert not found.differences
        assert [(row.folder, row.files, row.lines) for row in found.rows] == [
            ("vg/abc/checkpoints", 2, 0),
            ("vg/abc", 1, 2),
        ]

    def test_tensor(self, pair):
        file = pair[1] / "vg/abc/checkpoints/000000000008/model.safetensors"
        tensors = load_file(file)
        tensors["a.weight"][1, 0] += 0.25
        tensors["a.weight"][1, 2] -= 0.5
        save_file(tensors, file)
        assert "a.weight: 2 of 6 elements, by at most 0.5; first at [1, 0]: 3.0 against 3.25" in self.told(pair)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (
                lambda t: t | {"b": np.ones((), dtype="i8")},
                "b: 1 of 1 elements, by at most 1; first it is: 0 against 1",
            ),
            (lambda t: t | {"c": t["b"]}, "c: only in"),
            (lambda t: t | {"b": np.zeros((), dtype="f4")}, "b: ('I64', []) against ('F32', [])"),
            (lambda t: t | {"a.weight": t["a.weight"] * np.float32(-1)}, "5 of 6 elements, by at most 10"),
        ],
    )
    def test_tensors_of_another_kind(self, pair, change, said):
        file = pair[1] / "vg/abc/checkpoints/000000000008/model.safetensors"
        save_file(change(load_file(file)), file)
        assert said in self.told(pair)

    def test_bfloat16_and_nan(self, tmp_path):
        """1.0 is 0x3f80 in the upper half of a float32, a NaN is 0x7fc0."""
        from frido.cli.proof import tensors

        header = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
        for name, content in (("one", b"\x80\x3f\xc0\x7f"), ("other", b"\x00\x40\xc0\x7f")):
            (tmp_path / name).write_bytes(len(header).to_bytes(8, "little") + header + content)
        assert list(tensors.differences(tmp_path / "one", tmp_path / "other")) == [
            "x: 1 of 2 elements, by at most 1; first at [0]: 1.0 against 2.0"
        ]

    def test_state(self, pair):
        file = pair[1] / "vg/abc/checkpoints/000000000008/state.json"
        file.write_text(json.dumps({"due": True, "window": {"sums": {"loss": 1.25}}}))
        assert "state.json: window.sums.loss: 1.5 against 1.25" in self.told(pair)

    def test_lines(self, pair):
        file = pair[1] / "vg" / "abc" / "metrics.jsonl"
        file.write_text(file.read_text().replace("1.0", "1.125"))
        assert "line 2: loss: 1.0 against 1.125" in self.told(pair)
        file.write_text('{"images": 4, "loss": 2.0}\n')
        assert "line 2: {" in self.told(pair) and "(no line)" in self.told(pair)

    def test_missing_file(self, pair):
        (pair[1] / "vg/abc/checkpoints/000000000008/state.json").unlink()
        assert f"state.json: only in {pair[0]}" in self.told(pair)


GRANDCHILD = (
    "import subprocess, sys, time\n"
    "if sys.argv[1] == '0': time.sleep(60)\n"
    "subprocess.run([sys.executable, __file__, str(int(sys.argv[1]) - 1)], start_new_session=True)\n"
)


def test_everything_that_was_started_is_killed(tmp_path):
    """Also in sessions of their own, like torchrun's workers."""
    program = tmp_path / "program.py"
    program.write_text(GRANDCHILD)
    process = subprocess.Popen([sys.executable, str(program), "2"], start_new_session=True)
    while len([line for line in commands() if str(program) in line]) < 3:
        time.sleep(0.01)
    processes.kill(process)
    assert process.returncode == -signal.SIGKILL
    assert not [line for line in commands() if str(program) in line]


def test_machines_and_outside_starters_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "RANK", "0")
    with pytest.raises(FridoError, match="one machine"):
        prove_resume.run(
            compose("run", ["stages=[prove_resume]", f"run.root={tmp_path}"]), name="main", arguments=["x"]
        )
