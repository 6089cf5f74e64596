"""Which runs a folder holds, and when they have changed."""

import json
import time
from pathlib import Path

import pytest

from frido.contracts.errors import FridoError
from frido.report import watch
from frido.report.__main__ import main
from frido.report.gather import gather
from frido.report.watch import Watch, fingerprint, places


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps(value))


def grow(run: Path, images: int = 40_000) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"images": images, "denoiser/loss": 0.1}) + "\n")


def test_runs_are_found_wherever_they_are(make_run):
    first, second = make_run(name="a"), make_run(name="b")
    root = first.parents[1]
    (root / "vg_sg2im" / "a.1").mkdir()
    (root / "vg_sg2im" / "a.1" / "config.yaml").write_text("{}")  # set aside
    (root / "stages" / "x").mkdir(parents=True)
    (root / "stages" / "x" / "config.yaml").write_text("{}")
    (root / ".hidden").mkdir()
    assert places(root) == [first, second]
    assert places(first) == [first]


def test_studies_come_first_and_are_not_looked_into(make_study, tmp_path):
    folder = make_study(seeds=1)
    found = places(tmp_path)
    assert found[0] == folder and len(found) == 4


@pytest.mark.parametrize(
    "change",
    [
        grow,
        lambda run: (run / "evaluation.json").write_text("{}"),
        lambda run: (run / "checkpoints" / f"{40000:012d}").mkdir(),
        lambda run: (run / "pictures" / "samples" / f"{40000:012d}.png").write_bytes(b"x"),
        lambda run: (run / "samples" / "test" / "generated" / "000004.png").write_bytes(b"x"),
        lambda run: write_json(run / "samples" / "mine" / "scenes.json", []),
        lambda run: grow(run / ".." / ".." / "shared" / "autoencoder"),
    ],
)
def test_what_a_page_shows_changes_the_fingerprint(make_run, change):
    run = make_run()
    before = fingerprint(run)
    assert fingerprint(run) == before
    change(run)
    assert fingerprint(run) != before


def test_what_a_page_does_not_show_does_not(make_run):
    run = make_run()
    before = fingerprint(run)
    (run / "report.html").write_text("page")
    (run / ".metrics.jsonl.partial-1").write_text("half")
    (run / "checkpoints" / f"{32768:012d}" / "model.safetensors").write_bytes(b"x")
    assert fingerprint(run) == before


def test_the_runs_of_a_study_change_its_fingerprint(make_study):
    folder = make_study(seeds=1)
    before = fingerprint(folder)
    grow(folder / ".." / ".." / "vg_sg2im" / "wide0")
    assert fingerprint(folder) != before


def test_drawn_when_something_changed_and_only_then(make_run):
    drawn: list[list[Path]] = []
    root = make_run(name="a").parents[1]
    watching = Watch(root=root, draw=drawn.append)
    for _ in range(3):
        watching.look()
    assert len(drawn) == 1
    later = make_run(name="b")
    watching.look()
    assert len(drawn) == 2 and later in drawn[1]


def test_what_cannot_be_drawn_is_told_and_tried_again(make_run):
    problems = [
        FridoError("metrics.jsonl, line 3", got="half", wanted="a line", do="Mend it."),
        OSError("gone"),
        KeyError(),
    ]

    def draw(_: list[Path]) -> None:
        if problems:
            raise problems.pop(0)

    watching = Watch(root=make_run(), draw=draw)
    told = [(watching.look(), watching.problem)[1] for _ in range(4)]
    assert "line 3" in told[0] and "gone" in told[1] and "KeyError" in told[2] and told[3] == ""


def test_drawing_takes_a_small_share_of_the_time(make_run):
    watching = Watch(root=make_run(), draw=lambda _: time.sleep(0.5))
    assert 4.5 <= watching.look() <= 20
    assert watching.look() == 3.0, "and nothing changed"


def test_samples_that_are_still_being_drawn_are_no_problem(make_run):
    run = make_run()
    (run / "samples" / "test" / "scenes.json").unlink()
    (run / "samples" / "test" / "protocol.json").unlink()
    (run / "samples" / "test" / "found.json").unlink()
    watching = Watch(root=run, draw=lambda places: gather(places, scenes=2))
    watching.look()
    assert watching.problem == ""


def test_nothing_there_yet(tmp_path):
    drawn: list[list[Path]] = []
    watching = Watch(root=tmp_path / "runs", draw=drawn.append)
    watching.look()
    assert drawn == [] and watching.problem == ""


def test_the_file_is_written_again_until_ctrl_c(make_run, tmp_path, monkeypatch, capsys):
    run, out = make_run(), tmp_path / "page.html"
    texts = []

    def sleep(seconds: float) -> None:
        texts.append(out.read_text())
        if len(texts) == 3:
            raise KeyboardInterrupt
        if len(texts) == 2:
            grow(run, images=54_321)

    monkeypatch.setattr(watch.time, "sleep", sleep)
    assert main(["--watch", str(run), "--out", str(out)]) == 0
    assert texts[0] == texts[1] and "54321" in texts[2]
    assert capsys.readouterr().out.splitlines() == [str(out)] * 2
