"""What a person may mistype: explained in four parts, exit code 2, no traceback, nothing written."""

import subprocess
import sys
from pathlib import Path

import pytest

from frido.cli import worker

BAD = {
    "key": (["denoiser.widht=8"], "denoiser.width=8"),
    "key of a size": (["size.bacth=8"], "size.batch=8"),
    "key without its path": (["learning_rate=0.1"], "size.learning_rate=0.1"),
    "key behind a plus": (["+denoiser.widht=8"], "denoiser.widht"),
    "top key behind a plus": (["+sede=8"], "seed=8"),
    "group": (["denoisr=pyunet"], "denoiser=pyunet"),
    "group within a group": (["denoiser/gat=spade"], "denoiser/gate=spade"),
    "option": (["denoiser=pyunett"], "denoiser=pyunet"),
    "option of a subgroup": (["denoiser/gate=spaed"], "denoiser/gate=spade"),
    "part of another option": (["autoencoder/loss/objective=vanilla"], "autoencoder/loss=adversarial"),
    "list for a mapping": (["autoencoder.quantizer=[{a: 1}]"], "autoencoder.quantizer=null"),
    "recipe": (["experiment=vg_sg2img"], "experiment=vg_sg2im"),
    "recipe behind a plus": (["+experiment=vg_sg2im"], "experiment=vg_sg2im"),
    "text for a number": (["size.batch=many"], "size.batch"),
    "fraction for a count": (["size.images=0.5"], "int"),
    "number for a switch": (["run.fresh=1"], "bool"),
    "number for a list": (["denoiser.multipliers=2"], "denoiser.multipliers"),
    "null for a number": (["denoiser.dropout=null"], "float"),
    "option that is no choice": (["hardware.device=tpu"], "cpu"),
    "nothing required": (["denoiser.width=???"], "denoiser.width"),
    "zero batch": (["size.batch=0"], "1 or more"),
    "batch that does not split": (["hardware=ddp", "hardware.devices=3"], "multiple of hardware.devices"),
    "guidance without dropout": (
        ["diffusion.guidance.weight=2", "task.condition_dropout=0"],
        "task.condition_dropout=0.1",
    ),
    "stage": (["stages=[dnoiser]"], "stages"),
    "stages out of order": (["stages=[denoiser,data]"], "stages=[data,denoiser]"),
    "open bracket": (["stages=[data"], "quote"),
    "sweep": (["seed=1,2"], "add -m"),
    "sweep of runs set aside": (["-m", "seed=1,2", "run.fresh=true"], "leave it out"),
    "sweep by another launcher": (["-m", "seed=1,2", "hydra/launcher=basic"], "hydra/launcher=local"),
    "flag": (["--seed", "3"], "--help"),
    "no equals sign": (["seed"], "key=value"),
    "interpolation": (["seed=${size.bacth}"], "seed=${size.batch}"),
    "removed setting": (["~denoiser.width"], "denoiser.width=VALUE"),
    "removed group": (["~denoiser"], "denoiser"),
    "foreign target": (["data._target_=os.system"], "data._target_"),
    "unknown target": (["denoiser._target_=frido.denoisers.pyunet.PyUnet"], "frido.denoisers.pyunet.PyUNet"),
    "setting of Hydra": (["hydra.run.dir=x"], "leave out"),
    "run directory": (["run=runs/main/nothing", "stages=[sample]"], "no such folder"),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker, "start", lambda *_, **__: pytest.fail("the worker was called"))
    return tmp_path


@pytest.mark.parametrize(("arguments", "hint"), BAD.values(), ids=BAD.keys())
def test_mistyped(desk, refused, arguments, hint):
    assert hint in refused(*arguments)
    assert not list(desk.iterdir())


def test_unwritable_directory(desk, refused):
    (desk / "file").write_text("in the way")
    assert "run.root=SOME_FOLDER" in refused("run.root=file")
    assert [path.name for path in desk.iterdir()] == ["file"]


def command(folder: Path, *arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as a person would; `code` runs at its end."""
    call = f"import sys; from frido.run import main; result = main({list(arguments)!r}); {code}; sys.exit(result)"
    return subprocess.run([sys.executable, "-c", call], cwd=folder, capture_output=True, text=True, timeout=60)


NOTHING_HEAVY = "heavy = {'torch', 'timm', 'wandb', 'numpy'} & set(sys.modules); assert not heavy, heavy"


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["--cfg", "job"], 0), (["denoiser.widht=8"], 2)])
def test_answers_without_anything_heavy(tmp_path, arguments, code):
    done = command(tmp_path, *arguments, code=NOTHING_HEAVY)
    assert done.returncode == code, done.stderr
    assert not list(tmp_path.iterdir())


def test_module_is_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "frido.run", "size=tinny"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: size=tinny\n  got:")
    assert "size=tiny" in done.stderr
    assert not list(tmp_path.iterdir())
