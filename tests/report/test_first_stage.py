"""The table of first stages, and a run that has nothing else."""

import json
import re
import shutil

import pytest

from frido.report import page
from frido.report.first_stage import first_stages
from frido.report.notes import status
from frido.report.run import read


@pytest.fixture
def alone(run_directory):
    """A run that was asked for its first stage only."""
    for name in ("metrics.jsonl", "timing.jsonl", "evaluation.json"):
        (run_directory / name).unlink()
    for name in ("samples", "checkpoints", "pictures"):
        shutil.rmtree(run_directory / name)
    (run_directory / "config.yaml").write_text("size: {images: 32768}\nstages: [data, autoencoder]\n")
    return run_directory


def other_first_stage(run, *, cards):
    place = run / "own"
    place.mkdir()
    (place / "evaluation.json").write_text(json.dumps(cards))
    (run / "stages.json").write_text('{"autoencoder": "own"}')


def test_rows_are_in_an_order_that_does_not_depend_on_the_file(run_directory):
    table = first_stages([read(run_directory)], ["this"])
    assert [row.name for row in table.rows] == [
        "psnr",
        "rfid/scenes@1024",
        "psnr_alone_0",
        "perplexity_1",
        "parameters",
    ]
    assert [row.values[0][0] for row in table.rows] == ["24.93", "9.87", "18.02", "301.5", "870k"]
    assert table.rows[1].better == "lower" and table.rows[1].values[0][2] == (("extractor", "scenes"),)
    assert table.columns[0].measured == "on 1\u202f024 images of val"


def test_a_first_stage_that_runs_share_is_one_column(make_run):
    runs = [read(make_run()), read(make_run(name="second")), read(make_run(name="third"))]
    other_first_stage(runs[2].path, cards={"held_out/psnr": {"value": 20.5}, "held_out/rfid/x@8": {"refused": "few"}})
    table = first_stages([*runs[:2], read(runs[2].path)], ["a", "b", "c"])
    assert [column.runs for column in table.columns] == ["a, b", "c"]
    rows = {row.name: [value[:2] for value in row.values] for row in table.rows}
    assert rows["psnr"] == [("24.93", ""), ("20.5", "")]
    assert rows["parameters"] == [("870k", ""), ("–", "")]
    assert rows["rfid/x@8"] == [("–", ""), ("–", "few")]


def test_runs_without_such_numbers_have_no_table(run_directory):
    (read(run_directory).first_stage.path / "evaluation.json").unlink()
    assert first_stages([read(run_directory)], ["this"]).rows == ()
    assert 'id="first"' not in page.write([run_directory], run_directory / "report.html").read_text()


def test_a_page_of_a_first_stage_alone(alone):
    assert status(read(alone)) == ("done", "first stage finished")
    text = page.write([alone], alone / "report.html").read_text()
    assert not re.findall(r'<li class="note">.*?is not in the run directory', text), "nothing is missed"
    assert "9.87" in text and 'id="metrics"' not in text and 'id="samples"' not in text
    assert "Images seen by the first stage" in text and "12\u202f800" in text


def test_what_was_asked_for_is_missed(alone):
    (alone / "config.yaml").write_text("size: {images: 32768}\nstages: [data, autoencoder, denoiser]\n")
    assert status(read(alone)) == ("partial", "trained on 0 of 32\u202f768 images")
    text = page.write([alone], alone / "report.html").read_text()
    missed = re.findall(r'<li class="note">(\S+) is not in the run directory', text)
    assert missed == ["metrics.jsonl", "checkpoints"], "no samples and scores were asked for"


def test_a_note_on_the_held_out_images_is_a_warning(run_directory):
    other_first_stage(run_directory, cards={"held_out/psnr": {"value": 20.5, "note": "evaluated on train"}})
    text = page.write([run_directory], run_directory / "report.html").read_text()
    assert '<li class="warning">First stage: evaluated on train</li>' in text
