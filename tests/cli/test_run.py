import json
import os
from pathlib import Path

import pytest
import yaml

from frido.cli import launch
from frido.cli.drawing import AS_FROZEN, Drawing
from frido.cli.locks import hold
from frido.run import main


def only_run(root: Path = Path("runs")) -> Path:
    (config,) = root.rglob("config.yaml")
    return config.parent


def test_a_run_is_frozen_and_handed_over(conf, worked, capsys):
    assert main(["experiment=gating/film", "seed=3"]) == 0
    directory = only_run()
    assert directory.parent == Path("runs/gating/film")
    assert worked == [
        (directory, ["data", "autoencoder", "latents", "denoiser", "sample", "evaluate", "report"], AS_FROZEN)
    ]
    config = yaml.safe_load((directory / "config.yaml").read_text())
    assert (config["seed"], config["denoiser"]["gate"]["strength"]) == (3, 1.0)
    facts = json.loads((directory / "provenance.json").read_text())
    assert facts["command"] == "python -m frido.run experiment=gating/film seed=3"
    assert str(directory) in capsys.readouterr().out


def test_finished_run_prints_its_report_and_works_no_more(conf, worked, capsys):
    main([])
    capsys.readouterr()
    assert main(["hardware.threads=2"]) == 0
    assert len(worked) == 1
    assert str(only_run() / "report.html") in capsys.readouterr().out


def test_interrupted_run_goes_on_in_its_directory(conf, worked, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("frido.cli.worker.start", lambda directory, **_: 75)
        assert main([]) == 75
    assert not (only_run() / "finished.json").exists()
    assert main([]) == 0
    assert worked[0][0] == only_run()


def test_more_stages_continue_in_the_same_directory(conf, worked):
    main(["stages=[data]"])
    main(["stages=[data,report]", "hardware.threads=4"])
    assert [stages for _, stages, _ in worked] == [["data"], ["data", "report"]]
    assert worked[0][0] == worked[1][0]
    directory = only_run()
    assert json.loads((directory / "finished.json").read_text()) == {"stages": ["data", "report"]}
    assert yaml.safe_load((directory / "config.yaml").read_text())["hardware"]["threads"] == 4
    assert len(json.loads((directory / "provenance.json").read_text())["continued"]) == 1


def test_change_of_threads_is_announced(conf, worked, capsys):
    main(["stages=[data]"])
    main(["stages=[data,report]", "hardware.threads=4"])
    assert "threads: 1 -> 4" in capsys.readouterr().err


def test_fresh_sets_the_old_one_aside(conf, worked):
    main([])
    directory = only_run()
    main(["run.fresh=true"])
    assert directory.with_name(f"{directory.name}.1").is_dir()
    assert [call[0] for call in worked] == [directory, directory]


def test_directory_in_use_is_refused(conf, worked, refused):
    main(["stages=[data]"])
    with hold(only_run(), wait=False):
        assert f"process {os.getpid()}" in refused("stages=[data,report]")


def test_other_ranks_wait_for_the_first_and_write_nothing(conf, worked, monkeypatch):
    main(["stages=[data]"])
    (only_run() / "finished.json").unlink()  # the first is still at work
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*") if path.is_file()}
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(launch, "RANK_0_SECONDS", 0)
    assert main(["stages=[data]"]) == 0
    assert len(worked) == 2
    assert main(["stages=[data]", "seed=9"]) == 2  # rank 0 was given something else
    after = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*") if path.is_file()}
    assert {path: time for path, time in after.items() if path.name != "report.html"} == {
        path: time for path, time in before.items() if path.name != "report.html"
    }


def test_fresh_under_a_foreign_launcher_is_refused(conf, worked, refused, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert "mv " in refused("run.fresh=true")


def test_cfg_job_prints_resolved_yaml_and_writes_nothing(conf, capsys):
    assert main(["--cfg", "job", "size.width=5"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["denoiser"]["table"] == {"width": 5}
    assert not list(Path().iterdir())


def test_cfg_job_shows_and_refuses_what_is_wrong(conf, capsys):
    assert main(["--cfg", "job", "+speed=5"]) == 2
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["speed"] == 5
    assert "error: speed" in printed.err


def test_help_lists_recipes_with_questions_and_options_with_comments(conf, capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "gating/film              Is FiLM enough?" in printed
    assert "denoiser/gate=" in printed
    assert "Another." in printed


def test_run_directory_is_used_again(conf, worked, tmp_path):
    main(["size.width=7"])
    directory = only_run()
    frozen = (directory / "config.yaml").read_text()
    (tmp_path / "my scenes.json").write_text("[]")
    assert main([f"run={directory}", f"scenes={tmp_path}/my scenes.json"]) == 0
    assert worked[-1] == (directory, ["sample"], Drawing(scenes=tmp_path / "my scenes.json"))
    assert main([f"run={directory}", "stages=[evaluate,report]"]) == 0
    assert worked[-1] == (directory, ["evaluate", "report"], AS_FROZEN)
    assert (directory / "config.yaml").read_text() == frozen


def test_run_directory_is_used_on_other_hardware(conf, worked):
    main([])
    directory = only_run()
    assert main([f"run={directory}", "stages=[sample]", "hardware=gpu", "hardware.threads=3", "tracking.left=4"]) == 0
    config = yaml.safe_load((directory / "config.yaml").read_text())
    assert [config["hardware"][name] for name in ("device", "precision", "threads")] == ["cuda", "bf16", 3]
    assert config["tracking"]["left"] == 4
    assert config["stages"][0] == "data"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["denoiser.size=3"], "leave out denoiser.size=3"),
        (["scenes=nowhere.json"], "no such file"),
        (["stages=[sampel]"], "stages"),
        (["stages=[sample"], "quote"),
        (["stages="], "stages=VALUE"),
        (["hardware=gpuu"], "hardware=gpu"),
        (["hardware.thread=1"], "hardware.threads=1"),
        (["hardware.threads=none"], "int | None"),
        (["+hardware.x=1"], "leave out"),
        (["--cfg", "job"], "leave out"),
    ],
)
def test_run_directory_takes_nothing_else(conf, worked, refused, arguments, hint):
    main([])
    frozen = (only_run() / "config.yaml").read_text()
    assert hint in refused(f"run={only_run()}", *arguments)
    assert (len(worked), (only_run() / "config.yaml").read_text()) == (1, frozen)


def test_scenes_need_the_sample_stage(conf, worked, refused, tmp_path):
    main([])
    (tmp_path / "s.json").write_text("[]")
    assert "stages=[sample]" in refused(f"run={only_run()}", f"scenes={tmp_path}/s.json", "stages=[report]")


def test_tampered_run_directory_builds_nothing(conf, worked, refused):
    main([])
    file = only_run() / "config.yaml"
    file.write_text(file.read_text().replace("toyroom.gates.Denoiser", "os.system"))
    assert "'os.system'" in refused(f"run={only_run()}", "stages=[report]")


def test_missing_run_directory_names_a_real_one(conf, worked, refused):
    main([])
    assert f"do:     run={only_run()}" in refused(f"run={only_run().parent}/nothing")
