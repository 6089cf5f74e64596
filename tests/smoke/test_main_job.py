"""The main job and every command of the README, end to end at a few steps."""

import json
import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from frido.convert import main as convert
from frido.metrics.features.batches import Batches
from frido.pack import main as pack
from frido.report.__main__ import main as report
from frido.run import main as run

README = Path(__file__).parents[2] / "README.md"
BUDGETS = ["size.images=64", "size.autoencoder_images=64", "size.watched=8", "size.samples=8"]
SMOKE = ["debug=smoke", "tracking=files", "data.source.val=16", "data.source.test=16", "size.scenes=64", *BUDGETS]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def trained(desk) -> Path:
    """Return the directory of a finished run of the main job."""
    assert run(["experiment=vg_sg2im", "data=scenes", "size=tiny", *SMOKE, f"run.root={desk / 'runs'}"]) == 0
    (directory,) = (desk / "runs" / "vg_sg2im").glob("*/")
    return directory


def numbers(directory: Path) -> dict[str, float]:
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return {name: value for line in lines for name, value in json.loads(line).items()}


def test_everything_is_left_behind(trained):
    found = numbers(trained)
    assert {"denoiser/loss", "judge/recall", "judge/recall_real", "judge/recall_shuffled"} <= found.keys()
    cards = json.loads((trained / "evaluation.json").read_text())
    assert "refused" in cards["fid/scenes@8"], "eight images are too few for FID, and the card says so"
    assert len(list((trained / "samples" / "test" / "generated").glob("*.png"))) == 8
    with Image.open(trained / "samples" / "test" / "generated" / "000000.png") as image:
        assert image.size == (64, 64)
    provenance = json.loads((trained / "provenance.json").read_text())
    assert provenance["data"]["hash"] and provenance["parameters"]["denoiser"] > 0
    page = (trained / "report.html").read_text()
    assert "judge/recall" in page and "data:image/png;base64" in page


def test_judge_knows_the_real_images(trained):
    assert numbers(trained)["judge/recall_real"] > 0.9


def test_the_same_command_again_prints_the_report(trained, capsys):
    config = yaml.safe_load((trained / "config.yaml").read_text())
    before = (trained / "metrics.jsonl").read_bytes()
    root = config["run"]["root"]
    assert run(["experiment=vg_sg2im", "data=scenes", "size=tiny", *SMOKE, f"run.root={root}"]) == 0
    assert str(trained / "report.html") in capsys.readouterr().out
    assert (trained / "metrics.jsonl").read_bytes() == before


def test_evaluating_again_replaces_the_numbers(trained):
    before = (trained / "metrics.jsonl").read_text().splitlines()
    assert run([f"run={trained}", "stages=[evaluate]"]) == 0
    assert (trained / "metrics.jsonl").read_text().splitlines() == before


def test_cards_say_how_the_samples_were_drawn_and_what_they_were_compared_with(trained):
    card = json.loads((trained / "evaluation.json").read_text())["fid/scenes@8"]
    protocol = json.loads((trained / "samples" / "test" / "protocol.json").read_text())
    told = ("sampler", "steps", "guidance", "ema", "seed", "images_seen")
    assert {name: card[name] for name in told} == {name: protocol[name] for name in told}
    assert (card["split"], card["images"], card["real_images"]) == ("test", 8, 8)
    assert card["weights_sha256"] and card["resize"] and card["reference"]


def test_another_evaluation_loses_no_number_and_looks_at_no_real_image_again(trained, monkeypatch):
    before = json.loads((trained / "evaluation.json").read_text())
    seen = []
    look = Batches.add
    monkeypatch.setattr(Batches, "add", lambda self, *given: seen.append(len(given[1])) or look(self, *given))
    assert run([f"run={trained}", "stages=[evaluate]", "metrics.metrics.judge.threshold=0.6"]) == 0
    after = json.loads((trained / "evaluation.json").read_text())
    assert sum(seen) == 8, "the generated images; the features of the real ones are kept"
    assert after["judge/recall"]["threshold"] == 0.6
    assert run([f"run={trained}", "stages=[evaluate]", "metrics=none"]) == 0
    assert json.loads((trained / "evaluation.json").read_text()) == after
    assert run([f"run={trained}", "stages=[evaluate]", "metrics=scenes"]) == 0
    assert json.loads((trained / "evaluation.json").read_text()) == before


def test_arms_share_a_first_stage(trained, desk):
    arm = ["seed=1", "stages=[data,autoencoder]"]
    assert run(["experiment=vg_sg2im", "data=scenes", "size=tiny", *SMOKE, *arm, f"run.root={desk / 'runs'}"]) == 0
    assert len(list((desk / "runs" / "stages" / "autoencoder").glob("*/"))) == 1


def test_two_processes_do_the_whole_job(desk):
    """torchrun is started by itself; both ranks meet in every stage."""
    root = desk / "two"
    ranks = ["hardware=ddp", "hardware.device=cpu", "hardware.devices=2", "hardware.threads=1"]
    assert run(["experiment=vg_sg2im", "data=scenes", "size=tiny", *SMOKE, *ranks, f"run.root={root}"]) == 0
    (directory,) = (root / "vg_sg2im").glob("*/")
    assert numbers(directory)["judge/recall_real"] > 0.9
    assert len(list((directory / "samples" / "test" / "generated").glob("*.png"))) == 8
    assert json.loads((directory / "provenance.json").read_text())["ranks"] == 2


def test_draw_my_scene(trained, desk, capsys):
    wishes = [
        {"objects": ["red circle", "large blue square"], "relationships": [[0, "left of", 1]]},
        {"objects": [{"name": "star", "box": [0.1, 0.1, 0.5, 0.5]}, {"name": "cross", "box": [0.6, 0.5, 0.9, 0.9]}]},
    ]
    (desk / "my.json").write_text(json.dumps(wishes))
    assert run([f"run={trained}", "stages=[sample]", f"scenes={desk / 'my.json'}"]) == 0
    told = capsys.readouterr().out
    assert "red circle" in told and ("MISSING" in told or "found" in told)
    folder = trained / "samples" / "my"
    assert len(list((folder / "generated").glob("*.png"))) == len(list((folder / "graphs").glob("*.svg"))) == 2
    assert [len(row) for row in json.loads((folder / "found.json").read_text())] == [2, 2]
    (derived,) = json.loads((folder / "scenes.json").read_text())[1]["relationships"]
    assert derived["predicate"] in ("left of", "above")  # boxes were given, so the relationship follows from them


def test_an_unknown_word_is_answered_with_the_nearest(trained, desk, capsys):
    (desk / "typo.txt").write_text("red circel left of blue square\n")
    assert run([f"run={trained}", "stages=[sample]", f"scenes={desk / 'typo.txt'}"]) == 2
    told = capsys.readouterr().err
    assert "circel" in told and "Nearest: circle" in told
    assert not (trained / "samples" / "typo").exists()


def test_readme_commands(trained, desk, capsys, monkeypatch):
    """Every command of the README does what it says, or (where it would train for hours) composes and checks."""
    monkeypatch.chdir(desk)
    (desk / "my.json").write_text('[{"objects": ["red circle"], "relationships": []}]')
    for name in ("photo", "hole"):
        Image.new("RGB", (64, 64), "white").save(desk / f"{name}.png")
    assert pack(["source=scenes", "format=visual_genome", f"out={desk / 'vg'}", "source.train=8", "source.val=4",
                 "source.test=4"]) == 0  # fmt: skip
    (desk / "runs" / "studies" / "NAME").mkdir(parents=True)
    job = {"overrides": [], "arm": None, "seed": 0, "directory": str(trained), "status": "finished", "attempts": 1}
    (desk / "runs" / "studies" / "NAME" / "study.json").write_text(
        json.dumps({"name": "NAME", "command": "", "comparison": None, "jobs": [{**job, "error": None}]})
    )
    doors = {"run": run, "pack": pack, "report": report, "convert": convert}
    commands = re.findall(r"^python -m frido\.(\w+) +(.*?)(?: +#.*)?$", README.read_text(), re.MULTILINE)
    assert len(commands) >= 9
    for door, words in commands:
        arguments = words.replace("RUN_DIR...", str(trained)).replace("RUN_DIR", str(trained)).split()
        if door == "convert":
            arguments = ["--help"]  # official checkpoints are not at hand; tests/importers fabricates them
        elif "--serve" in arguments or arguments[0].startswith("match="):
            continue  # goes on until Ctrl-C, or writes into conf/: tests/report/test_serve, tests/cli/test_match
        elif arguments[0].startswith(("study=", "-m")):
            arguments += ["hydra/launcher=print", "seed=0"]
        elif arguments[0].startswith("real="):
            folders = (trained / "samples" / "test" / side for side in ("real", "generated"))
            arguments = [*(f"{side}={folder}" for side, folder in zip(("real", "generated"), folders, strict=True)),
                         "metrics=scenes"]  # fmt: skip
        elif "metrics=inception" in arguments:
            arguments = [word.replace("inception", "scenes") for word in arguments]  # its weights are not at hand
        elif door == "pack":
            arguments = [f"source.root={desk / 'vg'}" if word == "source.root=DIR" else word for word in arguments]
            arguments = [f"out={desk / 'packed'}" if word == "out=DIR" else word for word in arguments]
            words = ("categories", "attributes", "predicates")
            arguments += [f"source.filters.frequent_{kind}.least=1" for kind in words]
            sides = ("image_side.least=32", "object_side.least=1", "object_count.least=1")
            arguments += [f"source.filters.{side}" for side in sides]
        elif door == "run" and "--help" not in arguments and not any(word.startswith("run=") for word in arguments):
            arguments = [*(word for word in arguments if word not in ("--cfg", "job")), "--cfg", "job"]
        assert doors[door](arguments) == 0, (door, words, capsys.readouterr().err)


def test_without_shards_the_recipe_says_what_to_type(desk, capsys, monkeypatch):
    monkeypatch.chdir(desk)
    assert run(["experiment=vg_sg2im", f"run.root={desk / 'runs'}"]) == 2
    told = capsys.readouterr().err
    assert "python -m frido.pack source=visual_genome" in told
    assert "experiment=vg_sg2im data=scenes" in told
