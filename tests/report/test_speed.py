"""The page says how fast a run was, and where a traced one spent its time."""

import json
import re

import pytest

from frido.contracts.errors import FridoError
from frido.report import page
from frido.report.numbers import memory, operations, percent
from frido.report.run import read
from frido.report.speed import profiles, speeds

TOLD = {
    "device": "NVIDIA H200",
    "ranks": 2,
    "steps": 4,
    "images": 128,
    "seconds": 2.0,
    "shares": {"backward": 0.5, "data": 0.05, "forward": 0.25, "optimizer": 0.1, "ema": 0.0, "logging": 0.0}
    | {"looking": 0.0, "checkpoint": 0.0, "rest": 0.1},
    "phases": {"autoencoder": {"forward": 0.2, "backward": 0.5}, "discriminator": {"forward": 0.05}},
    "operators": [{"name": "aten::mm<evil>", "calls": 8, "seconds": 0.4, "share": 0.2}],
}


def timing(run, lines):
    (run / "timing.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def trace(run, **changes):
    (run / "profile").mkdir()
    (run / "profile" / "shares.json").write_text(json.dumps(TOLD | changes))
    return run


def test_means_are_over_time(run_directory):
    """600 images in 2 s and 400 in 8 s are 100 a second, not 175; a share counts for as long as it held."""
    window = {"denoiser/images_per_second": 300.0, "denoiser/data_wait": 0.5, "denoiser/flops_per_second": 6e12}
    timing(
        run_directory,
        [
            {"images": 600, **window, "denoiser/peak_share": 0.6, "denoiser/peak_memory_bytes": 3 * 2.0**30},
            {
                "images": 1000,
                "denoiser/images_per_second": 50.0,
                "denoiser/data_wait": 0.0,
                "denoiser/flops_per_second": 1e12,
                "denoiser/peak_share": 0.1,
                "denoiser/peak_memory_bytes": 2 * 2.0**30,
            },
        ],
    )
    _, second = speeds([read(run_directory)], ["this"])
    assert second.stage == "second stage"
    assert (second.images, second.operations, second.peak) == ("100", "2 TFLOP/s", "20.0 %")
    assert (second.waiting, second.memory) == ("10.0 %", "3 GiB")


def test_what_was_not_logged_is_a_dash(run_directory):
    first, _ = speeds([read(run_directory)], ["this"])
    assert first.images == "200" and {first.operations, first.peak, first.waiting, first.memory} == {"–"}


def test_a_first_stage_that_runs_share_is_one_row(make_run):
    runs = [read(make_run()), read(make_run(name="other"))]
    assert [(row.run, row.stage) for row in speeds(runs, ["a", "b"])] == [
        ("a", "first stage"),
        ("a", "second stage"),
        ("b", "second stage"),
    ]


def test_parts_are_in_the_order_of_a_step(run_directory):
    (found,) = profiles([read(trace(run_directory))], ["this"])
    assert [part.name for part in found.parts[:4]] == ["data", "forward", "backward", "optimizer"]
    assert found.parts[-1].name == "rest"
    forward = found.parts[1]
    assert (forward.share, forward.width, forward.milliseconds) == ("25.0 %", 25.0, "125")
    assert forward.phases == (("autoencoder", "20.0 %"), ("discriminator", "5.0 %"))
    assert found.parts[2].phases == (), "one phase alone is the whole part"
    assert found.operators == (("aten::mm<evil>", "20.0 %", "100"),)
    assert found.traced.startswith("4 steps of 32 images on NVIDIA H200, 2 ranks, 500 ms")


def test_the_page_shows_both(run_directory):
    text = page.write([trace(run_directory)], run_directory / "report.html").read_text()
    section = text.split('<section id="throughput"')[1].split("</section>")[0]
    widths = [float(width) for width in re.findall(r'style="width:([\d.]+)%"', section)]
    assert len(widths) == 9 and sum(widths) == pytest.approx(100)
    assert "aten::mm&lt;evil&gt;" in section and "<evil>" not in text
    assert "<td" in section and 'href="#throughput"' in text


def test_charts_leave_out_what_has_the_shape_of_the_speed(run_directory):
    names = ("images_per_second", "flops_per_second", "peak_share", "data_wait")
    timing(run_directory, [{"images": n, **{f"denoiser/{name}": 0.1 * n for name in names}} for n in (1, 2, 3)])
    text = page.write([run_directory], run_directory / "report.html").read_text()
    section = text.split('<section id="throughput"')[1].split("</section>")[0]
    drawn = re.findall(r'<figure class="chart card" id="throughput-([^"]*)"', section)
    assert drawn == ["denoiser-data-wait", "denoiser-images-per-second"]


@pytest.mark.parametrize("changes", [{"shares": {"data": 1.0}}, {"steps": 0}, {"phases": None}, {"operators": [{}]}])
def test_a_profile_that_is_none_is_named(run_directory, changes):
    trace(run_directory, **changes)
    with pytest.raises(FridoError, match=r"shares\.json"):
        page.write([run_directory], run_directory / "report.html")


def test_numbers_with_units():
    assert [operations(3.4e14), operations(22.1e9), operations(12.0)] == ["340 TFLOP/s", "22.1 GFLOP/s", "12 FLOP/s"]
    assert [memory(1.5 * 2**30), memory(700 * 2**20)] == ["1.5 GiB", "700 MiB"]
    assert percent(0.3333) == "33.3 %"
