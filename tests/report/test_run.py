"""Reading a run directory: tolerant of what is absent, strict with what is malformed."""

import json

import pytest

from frido.contracts.errors import FridoError
from frido.report.curves import duration_seconds
from frido.report.notes import status
from frido.report.run import read


def test_reads_every_part(run_directory):
    run = read(run_directory)
    assert run.recipe == "vg_sg2im" and run.config["size"]["images"] == run.budget == run.images_seen == 32768
    assert len(run.metrics["denoiser/loss"]) == 512 and run.metrics["judge/recall"][-1] == (32768, 0.81)
    assert run.checkpoints == (32768,) and not run.absent and not run.torn
    assert run.evaluation["fid/scenes@512"]["n"] == 512
    assert [images for images, _ in run.pictures["samples"]] == [16384, 32768]
    samples = run.samples["test"]
    assert len(samples.scenes) == len(samples.generated) == len(samples.real) == 4
    assert [finding.found for finding in samples.found[2]] == [True, False, True]
    assert run.first_stage and run.first_stage.metrics["autoencoder/psnr"][-1][0] == 12800
    assert status(run) == ("done", "finished")


def test_absent_parts_are_named_not_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\nsize: {images: 100}\n")
    run = read(tmp_path)
    assert set(run.absent) == {"metrics.jsonl", "provenance.json", "samples", "evaluation.json", "checkpoints"}
    assert run.metrics == {} and status(run)[0] == "partial"


def test_a_linked_stage_that_is_gone_is_named(run_directory):
    (run_directory / "stages.json").write_text('{"autoencoder": "../nowhere"}')
    run = read(run_directory)
    assert run.first_stage is None and any("nowhere" in part for part in run.absent)


def test_a_torn_last_line_is_left_out(run_directory):
    file = run_directory / "metrics.jsonl"
    whole = read(run_directory).metrics
    file.write_bytes(file.read_bytes() + b'{"images": 32832, "denoiser/lo\xc3')
    run = read(run_directory)
    assert run.torn and run.metrics == whole


def test_a_whole_last_line_without_line_end_counts(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"images": 1, "loss": 2}\n{"images": 2, "loss": 1}')
    run = read(tmp_path)
    assert run.metrics["loss"] == ((1, 2.0), (2, 1.0)) and not run.torn


def test_a_value_logged_twice_counts_once(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"images": 2, "a": 1}\n{"images": 1, "a": 5}\n{"images": 2, "a": 3}\n')
    assert read(tmp_path).metrics["a"] == ((1, 5.0), (2, 3.0))


@pytest.mark.parametrize(
    "line",
    ["not json", '{"loss": 1}', '{"images": "7", "loss": 1}', '{"images": -1}', '{"images": 7, "loss": "low"}', "[1]",
     '{"images": 7, "loss": null}', '{"images": true, "loss": 1}'],
)  # fmt: skip
def test_a_malformed_line_is_named(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_text(f'{{"images": 1, "loss": 2}}\n{line}\n{{"images": 9, "loss": 1}}\n')
    with pytest.raises(FridoError, match=r"metrics\.jsonl, line 2"):
        read(tmp_path)


def test_a_torn_line_with_a_line_end_is_malformed(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"images": 1, "loss": 2}\n{"images": 2, "lo\n')
    with pytest.raises(FridoError, match="line 2"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("provenance.json", '{\n"a": }', r"provenance\.json, line 2"),
        ("provenance.json", "[]", r"provenance\.json, line 1"),
        ("evaluation.json", '{"fid": 3}', r"evaluation\.json, 'fid'"),
        ("config.yaml", "a: 1\nb: [1\nc: 2\n", r"config\.yaml, line"),
        ("config.yaml", "- a\n", r"config\.yaml, line 1"),
        ("samples/test/scenes.json", "{}", r"scenes\.json, line 1"),
        ("samples/test/scenes.json", '[{"id": "x"}]', r"scenes\.json, item 0"),
        ("samples/test/scenes.json", "[]", r"scenes\.json"),
        ("samples/test/found.json", "[[], [], [], [], []]", r"found\.json"),
        ("samples/test/found.json", '[[{"object": 9, "found": true}], [], [], []]', r"found\.json, item 0"),
        ("samples/test/found.json", '[[{"object": 0}], [], [], []]', r"found\.json, item 0"),
    ],
)
def test_malformed_files_are_named(run_directory, file, text, named):
    (run_directory / file).write_text(text)
    with pytest.raises(FridoError, match=named):
        read(run_directory)


def test_a_relationship_to_nowhere_is_named(run_directory):
    file = run_directory / "samples" / "test" / "scenes.json"
    scenes = json.loads(file.read_text())
    scenes[2]["relationships"][0]["object"] = 7
    file.write_text(json.dumps(scenes))
    with pytest.raises(FridoError, match="item 2"):
        read(run_directory)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_what_is_no_run_directory_is_refused(tmp_path, make):
    make(tmp_path / "thing")
    with pytest.raises(FridoError, match="thing"):
        read(tmp_path / "thing")


def test_recipe_names_may_hold_slashes(tmp_path):
    run = tmp_path / "runs" / "gating" / "spade" / "abc"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("seed: 0\n")
    assert read(run).recipe == "gating/spade"


def test_training_time_is_images_over_speed(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    lines = ['{"images": 100, "denoiser/images_per_second": 10}', '{"images": 300, "denoiser/images_per_second": 50}']
    (tmp_path / "timing.jsonl").write_text("\n".join(lines) + "\n")
    assert duration_seconds(read(tmp_path)) == pytest.approx(10 + 4)
