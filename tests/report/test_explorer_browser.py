"""The explorer of pictures in a real Chromium: slider, order, swipe, with pointer and keys."""

import shutil
from importlib import resources

import pytest

from frido.report import page
from tests.report import pictured
from tests.report.conftest import ARMS, fabricate, fabricate_study
from tests.report.pictured import COLUMNS, MOMENTS

SLIDER, STAGE = "#explorer-at", "#explorer .stage"
DIVIDER, RUN = f"{STAGE} .divider", "#explorer tr[data-run]"
FIRST = f"{RUN}[data-run='0'] .strip"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The page of three arms of two seeds; the first run draws at fewer moments, the last draws other scenes."""
    root = tmp_path_factory.mktemp("pictured")
    folder = fabricate_study(root, seeds=2)
    for arm in ARMS:
        for seed in (0, 1):
            pictured.all_of(root / "runs" / "vg_sg2im" / f"{arm}{seed}", seed=seed)
    pictured.samples(root / "runs" / "vg_sg2im" / "narrow0", seed=0, moments=MOMENTS[1::2])
    pictured.samples(root / "runs" / "vg_sg2im" / "wide1", seed=1, first=2)
    return page.write([folder], root / "page.html")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """The page of two arms of eight runs each."""
    root, runs = tmp_path_factory.mktemp("crowd"), []
    made = pictured.all_of(fabricate(root, scenes=1), seed=0)
    for width in (32, 64):
        for seed in range(8):
            run = made.with_name(f"w{width}s{seed}")
            shutil.copytree(made, run)
            (run / "config.yaml").write_text(f"seed: {seed}\nsize: {{width: {width}}}\n")
            runs.append(run)
    return page.write(runs, root / "page.html")


def moments(tab):
    """Return the moment that is shown in each row; `None` where there is nothing yet."""
    return tab.locator("#explorer-0 tr[data-run] .strip").evaluate_all("""(strips) => strips.map(
        (strip) => Number(strip.querySelector('img:not([hidden])')?.dataset.images ?? 0) || null)""")


def places(tab, panel="#explorer-0"):
    return tab.locator(f"{panel} tr[data-run]:visible").evaluate_all("(rows) => rows.map((row) => +row.dataset.run)")


def test_one_slider_moves_every_run(visit, study):
    tab = visit.open(study)
    assert moments(tab) == [MOMENTS[-1]] * 5
    tab.focus(SLIDER)
    for expected in (24576, 16384, 8192):
        tab.keyboard.press("ArrowLeft")
        assert moments(tab) == [{24576: 16384, 16384: 16384, 8192: None}[expected]] + [expected] * 4
        shown = tab.locator("#explorer output").text_content().replace("\u202f", "")
        assert shown == f"{expected} images"
    assert tab.locator(f"{FIRST} .none").is_visible()
    again = visit.open(tab.url)
    assert "at-explorer=8192" in tab.url and moments(again) == moments(tab)
    tab.keyboard.press("End")
    assert moments(tab) == [MOMENTS[-1]] * 5 and "at-explorer" not in tab.url
    tab.keyboard.press("ArrowLeft")
    assert "after 16" in tab.locator(f"{RUN}[data-run='0'] .when").text_content()
    assert tab.locator(f"{RUN}[data-run='1'] .when").text_content() == ""


def test_it_plays_to_the_end(visit, study):
    tab = visit.open(study)
    tab.click("#explorer .play")
    assert moments(tab)[1] == MOMENTS[0] and tab.get_attribute("#explorer .play", "aria-pressed") == "true"
    tab.wait_for_selector("#explorer .play[aria-pressed='false']")
    assert moments(tab)[1] == MOMENTS[-1]
    assert not visit.open(study, reduced_motion="reduce").locator("#explorer .play").is_visible()


def test_columns_are_matched_where_scenes_agree(visit, study):
    tab = visit.open(study)
    assert places(tab) == [0, 1, 2, 3, 4] and places(tab, "#explorer-1") == [5]
    assert tab.locator("#explorer-0 tr[data-run] .badge").all_text_contents() == [f"noise {x}" for x in "ABABA"]
    tab.select_option("#explorer-order select", "noise")
    assert places(tab) == [0, 2, 4, 1, 3] and "rows=noise" in tab.url
    heads = tab.locator("#explorer-0 tr.group").all_text_contents()
    assert [head.strip() for head in heads] == ["noise A", "noise B"]
    assert places(visit.open(tab.url)) == [0, 2, 4, 1, 3]
    tab.select_option("#explorer-order select", "arm")
    assert places(tab) == [0, 1, 2, 3, 4]


def test_the_table_of_runs_chooses_rows(visit, study):
    tab = visit.open(study)
    tab.uncheck('#runs-table tr[data-run="2"] input')
    tab.uncheck('#runs-table tr[data-run="3"] input')
    assert places(tab) == [0, 1, 4] and tab.locator("#explorer-0 tr.group:visible").count() == 2
    assert tab.locator("#filmstrips figure:visible").count() == 2
    tab.click("#runs-all")
    assert places(tab) == [0, 1, 2, 3, 4]


def test_of_many_the_first_of_each_arm(visit, crowd):
    tab = visit.open(crowd)
    assert places(tab) == [*range(6), *range(8, 14)]
    tab.uncheck('#runs-table tr[data-run="0"] input')
    assert places(tab) == [*range(1, 7), *range(8, 14)]
    tab.locator("#explorer .more button").click()
    assert places(tab) == list(range(1, 16)) and not tab.locator("#explorer .more").is_visible()


def value(tab):
    at = int(tab.get_attribute(DIVIDER, "aria-valuenow"))
    clip = tab.locator(f"{STAGE} .over").first.evaluate("(layer) => layer.style.clipPath")
    assert f"{at}." in clip or f"{at}%" in clip or f"{at - 1}." in clip
    return at


def test_the_divider_moves_with_pointer_and_keys(visit, study):
    tab = visit.open(study)
    stage = tab.locator(STAGE).first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert value(tab) == 50
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 60, steps=4)
    assert value(tab) == pytest.approx(80, abs=1)
    tab.mouse.move(box["x"] - 300, box["y"] + 60)
    tab.mouse.up()
    tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    assert value(tab) == 0, "let go"
    assert tab.evaluate("document.activeElement.getAttribute('role')") == "slider"
    for key, expected in (
        ("ArrowRight", 2),
        ("Shift+ArrowRight", 12),
        ("End", 100),
        ("ArrowLeft", 98),
        ("PageDown", 78),
    ):
        tab.keyboard.press(key)
        assert value(tab) == expected
    assert tab.get_attribute(DIVIDER, "aria-valuetext") == "78 % A, 22 % B"


def layers(tab):
    """Return what both layers show: the row of the table and the column."""
    return (
        tab.locator(f"{STAGE}")
        .first.locator(".layer img")
        .evaluate_all("""(images) => images.map((image) => {
        const row = [...document.querySelectorAll('#explorer-0 .strip')]
          .find((strip) => strip.querySelector('img:not([hidden])')?.src === image.src);
        return [row.dataset.row, -parseFloat(image.style.marginLeft) / 100];
    })""")
    )


def test_two_pictures_are_chosen_and_compared(visit, study):
    tab = visit.open(study)
    badge = tab.locator("#explorer-0 .swipe .badge")
    assert layers(tab) == [["0", 0], ["2", 0]] and badge.text_content() == "same noise"
    for row, column in (("3", 2), ("4", 1)):
        strip = tab.locator(f"#explorer-0 .strip[data-row='{row}']")
        box = strip.bounding_box()
        strip.click(position={"x": box["width"] * (column + 0.5) / COLUMNS, "y": 20})
    assert layers(tab) == [["4", 1], ["3", 1]] and badge.text_content() == "another noise"
    assert layers(visit.open(tab.url)) == layers(tab)
    tab.select_option("#explorer-0 select.b", "real")
    tab.select_option("#explorer-0 select.column", "3")
    assert layers(tab) == [["4", 3], ["real", 3]] and badge.text_content() == ""
    assert "val-000003" in tab.locator("#explorer-0 .about .scene:visible title").first.text_content()
    tab.locator("#explorer-0 .choose").nth(2).press("Enter")
    assert layers(tab) == [["4", 2], ["real", 2]]
    before = tab.locator(STAGE).first.locator("img").first.get_attribute("src")
    tab.focus(SLIDER)
    tab.keyboard.press("Home")
    assert tab.locator(STAGE).first.locator("img").first.get_attribute("src") != before and layers(tab)[0] == ["4", 2]


def test_strips_of_one_scene_at_a_time(visit, study):
    tab = visit.open(study)
    shown = tab.locator("#filmstrips .films:visible")
    assert shown.count() == 1 and shown.get_attribute("data-scene") == "0"
    tab.select_option("#filmstrips-scene", "1")
    assert shown.get_attribute("data-scene") == "1" and "film=1" in tab.url
    tab.focus("#reconstructions-at")
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#reconstructions .strip img:visible").get_attribute("data-images") == "6400"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 400)])
def test_everyone_can_use_it(visit, study, scheme, width):
    tab = visit.open(study, color_scheme=scheme, width=width)
    tab.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = [one for part in ("#explorer", "#filmstrips", "#reconstructions")
             for one in tab.evaluate("(part) => axe.run(part)", part)["violations"]]  # fmt: skip
    assert [
        (one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")
    ] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_the_last_pictures_are_there(visit, study):
    tab = visit.open(study, java_script_enabled=False)
    assert tab.locator("#explorer .strip img:visible").count() == 6 + 2 and not tab.locator(SLIDER).is_visible()
    assert tab.locator("#filmstrips img:visible").count() == 2 * 3 * 2
