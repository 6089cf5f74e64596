"""What several evaluations of the same samples leave behind."""

import json

from frido.cli import measured
from frido.contracts.metric import Part
from frido.metrics.evaluation import Result

PROTOCOL = {
    "sampler": {"_target_": "frido.diffusion.samplers.ddim.DDIM", "steps": 12},
    "steps": 12,
    "guidance": {"_target_": "frido.diffusion.guidance.plain.Plain"},
    "teacher_forcing": None,
    "ema": {"name": "plain"},
    "precision": "fp32",
    "seed": 3,
    "count": 384,
    "images_seen": 30720,
    "split": "test",
    "note": "drawn in a hurry",
}


def result(numbers, *, refused=(), card=None, parts=None, rows=None) -> Result:
    cards = {name: {**(card or {}), "value": value} for name, value in numbers.items()}
    cards |= {name: {**(card or {}), "refused": "weights missing"} for name in refused}
    return Result(dict(numbers), cards, parts or {}, rows or {})


def cards(folder) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


def test_a_card_says_how_the_samples_were_drawn(tmp_path):
    measured.add(tmp_path, result({"fid/scenes@384": 3.0}, card={"images": 384}), PROTOCOL)
    card = cards(tmp_path)["fid/scenes@384"]
    told = ("split", "sampler", "steps", "guidance", "teacher_forcing", "ema", "seed", "images_seen", "note")
    assert {name: card[name] for name in told} == {name: PROTOCOL[name] for name in told}
    assert (card["value"], card["images"]) == (3.0, 384)
    assert not (tmp_path / "breakdown.json").exists(), "nothing was broken down"


def test_notes_of_the_metric_and_of_the_samples_are_both_told(tmp_path):
    measured.add(tmp_path, result({"psnr@384": 20.0}, card={"note": "of pairs"}), PROTOCOL)
    assert cards(tmp_path)["psnr@384"]["note"] == "of pairs; drawn in a hurry"
    measured.add(tmp_path, result({"psnr@384": 20.0}), PROTOCOL | {"note": None})
    assert cards(tmp_path)["psnr@384"]["note"] is None


def test_other_numbers_are_added_and_the_same_replaced(tmp_path):
    measured.add(tmp_path, result({"fid/scenes@384": 3.0, "judge/recall": 0.5}), PROTOCOL)
    measured.add(tmp_path, result({"fid/inception@384": 30.0, "judge/recall": 0.6}), PROTOCOL)
    values = {name: card["value"] for name, card in cards(tmp_path).items()}
    assert values == {"fid/scenes@384": 3.0, "judge/recall": 0.6, "fid/inception@384": 30.0}


def test_a_refusal_goes_when_its_number_comes_and_takes_no_number_away(tmp_path):
    measured.add(tmp_path, result({"fid/inception@100": 9.0}, refused=["fid/inception", "fd/dinov2"]), PROTOCOL)
    measured.add(tmp_path, result({"fid/inception@384": 30.0}), PROTOCOL)
    assert cards(tmp_path).keys() == {"fid/inception@100", "fid/inception@384", "fd/dinov2"}
    measured.add(tmp_path, result({}, refused=["fid/inception"]), PROTOCOL)
    assert cards(tmp_path)["fid/inception@384"]["value"] == 30.0


def test_breakdowns_grow_by_names_and_rows(tmp_path):
    first = result(
        {"judge/recall": 0.5},
        parts={"judge/recall": {"shape circle": Part(0.7, 312)}},
        rows={0: {"judge/recall": 1.0}, 1: {"judge/recall": 0.0}},
    )
    second = result({"psnr@2": 20.0}, rows={0: {"psnr@2": 19.0}, 1: {"psnr@2": 21.0}})
    for each in (first, second):
        measured.add(tmp_path, each, PROTOCOL)
    assert json.loads((tmp_path / "breakdown.json").read_text()) == {
        "parts": {"judge/recall": {"shape circle": {"value": 0.7, "count": 312}}},
        "rows": {"0": {"judge/recall": 1.0, "psnr@2": 19.0}, "1": {"judge/recall": 0.0, "psnr@2": 21.0}},
    }
