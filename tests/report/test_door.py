"""`python -m frido.report`: quick, light, and plain about mistakes."""

import subprocess
import sys
import time

import pytest

from frido.report.__main__ import main


def python(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_imports_no_torch_and_no_hydra(run_directory):
    run, out = str(run_directory), str(run_directory / "r.html")
    program = (
        "import sys, pathlib; import frido.report.__main__, frido.report.page, frido.report.graph, frido.report.sheet\n"
        f"frido.report.page.write([pathlib.Path({run!r})], pathlib.Path({out!r}))\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'torchvision', 'wandb'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = python("-c", program)
    assert done.returncode == 0, done.stderr


def test_help_is_quick():
    start = time.perf_counter()
    done = python("-m", "frido.report", "--help")
    assert done.returncode == 0 and "RUN_DIR" in done.stdout
    assert time.perf_counter() - start < 3, "0.1 s on an idle machine"


def test_one_run_is_written_into_itself(run_directory, capsys):
    assert main([str(run_directory)]) == 0
    assert (run_directory / "report.html").is_file()
    assert capsys.readouterr().out.strip() == str(run_directory / "report.html")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{run}/nothing"], "no such folder"),
        (["{run}", "{run}"], "--out"),
        (["{run}", "--out", "{run}"], "report.html"),
        (["{run}", "--scenes", "-1"], "--scenes"),
        (["{run}/checkpoints"], "is no run directory"),
    ],
)
def test_mistakes_are_told_in_four_parts(run_directory, capsys, arguments, words):
    assert main([text.format(run=run_directory) for text in arguments]) == 2
    told = capsys.readouterr().err
    assert words in told and all(part in told for part in ("got:", "wanted:", "do:"))
    assert not (run_directory / "report.html").exists()
