"""The page in a real Chromium: it draws, filters, sorts, links, prints, and everyone can use it."""

import json
import re
from importlib import resources
from statistics import mean

import pytest

from frido.report import page
from tests.report.conftest import fabricate, fabricate_study

SERIOUS = ("serious", "critical")
LOSS = "#curves-denoiser-loss"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The page of a study: three arms of two seeds."""
    root = tmp_path_factory.mktemp("study")
    return page.write([fabricate_study(root, seeds=2)], root / "page.html")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The page of one run."""
    root = tmp_path_factory.mktemp("alone")
    return page.write([fabricate(root)], root / "page.html")


def drawn(tab, place=LOSS):
    """Scroll to a figure and return the words of its drawing."""
    tab.locator(place).scroll_into_view_if_needed()
    return tab.locator(f"{place}[data-drawn] svg.plot").get_attribute("aria-label")


def draw_all(tab):
    tab.evaluate("() => { dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint')); }")


def test_charts_are_drawn_when_they_come_into_view(visit, study):
    tab = visit.open(study)
    assert tab.locator(f"{LOSS} svg.plot").count() == 0
    assert drawn(tab).startswith("denoiser/loss over images seen. Last values: narrow, mean of 2: ")
    assert tab.locator("figure[data-kind] svg.plot").count() < tab.locator("figure[data-kind]").count()


def test_every_chart_of_both_pages_is_drawn(visit, study, alone):
    for file in (study, alone):
        tab = visit.open(file)
        draw_all(tab)
        assert tab.locator("figure[data-kind]").count() == tab.locator("figure[data-kind] svg.plot").count() > 5


def test_the_seeds_of_an_arm_are_their_mean_and_a_band(visit, study):
    tab = visit.open(study)
    words = drawn(tab)
    data = json.loads(tab.locator("#data").text_content())
    lines = data["sections"]["curves"]["charts"][LOSS[1:]]["lines"]
    told = [float(value) for value in re.findall(r"mean of 2: (\d+\.\d+)", words)]
    assert told == pytest.approx([mean(line["y"][-1] for line in lines[k : k + 2]) for k in (0, 2, 4)], rel=1e-3)
    path = f'{LOSS} svg [data-mark="line"] path'
    assert tab.locator(path).count() == 3 and tab.locator(f'{LOSS} svg [data-mark="area"] path').count() == 3
    tab.select_option("#bands", "lines")
    assert "narrow · seed 1: " in drawn(tab) and tab.locator(path).count() == 6
    assert "bands=lines" in tab.url and "narrow · seed 1" in drawn(visit.open(tab.url))


def test_a_filter_decides_what_is_drawn_and_stands_in_the_address(visit, study):
    tab = visit.open(study)
    tab.fill("#runs-filter", "width=64")
    tab.locator("#runs-count", has_text="2 of 6").wait_for()
    for here in (tab, visit.open(tab.url)):
        assert here.locator("#runs-table tbody tr[data-run]:visible").count() == 2
        assert "wide" in drawn(here) and "narrow" not in drawn(here)
        assert here.locator("#metrics [data-run]:not([hidden])").count() == 2 * 3, "in tables too"
    tab.click("#runs-all")
    tab.fill("#runs-filter", "no such run")
    tab.locator("#runs-count", has_text="0 of 6").wait_for()
    tab.locator(LOSS).scroll_into_view_if_needed()
    assert "No run that is shown has it" in tab.locator(f"{LOSS}[data-drawn] .plots").text_content()


def test_runs_are_hidden_one_by_one_or_by_arm(visit, study):
    tab = visit.open(study)
    tab.uncheck('#runs-table tr[data-run="0"] input')
    assert "narrow · seed 1: " in drawn(tab), "one seed alone is a line of its own"
    tab.locator("#runs-table tr.arm input").nth(1).uncheck()
    assert "middle" not in drawn(tab) and "hide=0.2.3" in tab.url
    assert "middle" not in drawn(visit.open(tab.url))
    tab.click("#runs-all")
    assert "middle" in drawn(tab) and "hide" not in tab.url


def test_columns_sort_by_number_with_pointer_and_keys(visit, study):
    tab = visit.open(study)
    tab.uncheck("#runs-group")
    head = tab.locator("#runs-table thead button", has_text="fid/scenes@512")
    column = head.evaluate("button => button.closest('th').cellIndex")

    def values():
        found = tab.locator("#runs-table tbody tr[data-run]").evaluate_all(
            "(rows, column) => rows.map((row) => Number(row.cells[column].dataset.value))", column
        )
        return found

    made_up = [0.3, 0.05, 1e-3, -2, 10, 9]
    tab.locator("#runs-table tbody tr[data-run]").evaluate_all(
        "(rows, [column, made]) => rows.forEach((row, k) => { row.cells[column].dataset.value = made[k]; })",
        [column, made_up],
    )
    head.click()
    assert (
        values() == sorted(made_up)
        and values() == sorted(values())
        and head.evaluate("b => b.closest('th').ariaSort") == "ascending"
    )
    tab.keyboard.press("Enter")
    assert values() == sorted(values(), reverse=True) and "down" in tab.url
    tab.keyboard.press("Home")
    assert tab.evaluate("document.activeElement.dataset.key") == "name"
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.dataset.key") == "arm"


def test_an_axis_becomes_logarithmic(visit, study):
    tab = visit.open(study, LOSS)
    drawn(tab)
    box = tab.locator(f"{LOSS} .switches input")
    ticks = tab.locator(f'{LOSS} [data-mark="y-axis tick label"] text')
    before, was = ticks.all_text_contents(), box.is_checked()
    box.click()
    assert ticks.all_text_contents() != before and f"log.{LOSS[1:]}={int(not was)}" in tab.url
    again = visit.open(tab.url)
    drawn(again)
    assert again.locator(f"{LOSS} .switches input").is_checked() != was


def test_light_and_dark(visit, study):
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit.open(study, color_scheme=scheme).evaluate(paper) for scheme in ("light", "dark"))
    assert light != dark
    tab = visit.open(study, color_scheme="light")
    tab.click("#theme")
    tab.click("#theme")
    assert tab.evaluate(paper) == dark and "theme=dark" in tab.url
    assert visit.open(tab.url, color_scheme="light").evaluate(paper) == dark
    tab.click("#theme")
    assert tab.evaluate(paper) == light and "theme" not in tab.url


def test_a_link_leads_to_its_panel_with_what_was_chosen(visit, study):
    tab = visit.open(study, f"{LOSS}?filter=wide")
    tab.wait_for_selector(f"{LOSS}[data-drawn] svg.plot")
    expect = "document.querySelector('" + LOSS + "').getBoundingClientRect().top"
    assert 0 < tab.evaluate(expect) < 900
    fold = "#breakdown-judge-recall"
    tab.locator(f"{fold} .anchor").first.evaluate("link => link.click()")
    assert tab.url.endswith(f"{fold}?filter=wide") and tab.locator(fold).evaluate("fold => fold.open")
    ids = tab.evaluate("[...document.querySelectorAll('main section, main figure[data-kind]')].map((part) => part.id)")
    assert all(ids) and len(set(ids)) == len(ids)
    assert tab.evaluate("[...document.querySelectorAll('main section')].every((part) => part.querySelector('.anchor'))")


def test_values_stand_under_the_pointer(visit, alone):
    tab = visit.open(alone)
    drawn(tab)
    tab.locator(f"{LOSS} svg.plot").hover(position={"x": 200, "y": 80})
    told = tab.locator(f"{LOSS} .tip").inner_text()
    assert "images" in told and "scale 0, coarsest" in told


def test_nothing_beats_the_front(visit, study):
    tab = visit.open(study)
    points = [{"x": 1, "y": 5}, {"x": 2, "y": 4}, {"x": 3, "y": 4}, {"x": 4, "y": 1}, {"x": 5, "y": 2}]

    def front(lower, higher):
        return [point["x"] for point in tab.evaluate("([p, l, h]) => frido.front(p, l, h)", [points, lower, higher])]

    assert front(True, False) == [1, 2, 4] and front(False, True) == [1, 3, 5]
    assert front(True, True) == [1] and front(False, False) == [4, 5]
    before = drawn(tab, "#pareto-chart")
    tab.select_option("#pareto-cost", "speed")
    assert drawn(tab, "#pareto-chart") != before and "cost=speed" in tab.url


@pytest.mark.parametrize(("name", "scheme", "width"), [("study", "light", 1400), ("alone", "dark", 400)])
def test_axe_finds_nothing_serious(visit, request, name, scheme, width):
    tab = visit.open(request.getfixturevalue(name), color_scheme=scheme, width=width)
    draw_all(tab)
    tab.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    tab.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = tab.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    told = [(one["id"], one["nodes"][0]["html"][:200], len(one["nodes"])) for one in found if one["impact"] in SERIOUS]
    assert told == []


def test_a_narrow_screen_scrolls_down_only(visit, study, alone):
    for file in (study, alone):
        tab = visit.open(file, width=400)
        draw_all(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400


def test_paper_has_every_chart_and_every_fold(visit, alone):
    tab = visit.open(alone, color_scheme="dark")
    count = "document.querySelectorAll('details:not([open])').length"
    tab.evaluate(f"() => addEventListener('beforeprint', () => {{ document.body.dataset.closed = {count}; }})")
    assert len(tab.pdf()) > 50_000 and tab.evaluate("document.body.dataset.closed") == "0"
    assert tab.locator("figure[data-kind] svg.plot").count() == tab.locator("figure[data-kind]").count()
    assert tab.evaluate(count) > 0, "as before"
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_keys_reach_the_content_first(visit, study):
    tab = visit.open(study, reduced_motion="reduce")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    assert tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_without_scripts_the_tables_are_there(visit, study):
    tab = visit.open(study, java_script_enabled=False)
    assert tab.locator("#runs-table tbody tr").count() == 6 and tab.locator("noscript").is_visible()


def test_many_runs_stay_readable(visit, tmp_path):
    runs = [fabricate(tmp_path, name=f"run{k:02}", scenes=1, width=16 + k) for k in range(30)]
    tab = visit.open(page.write(runs, tmp_path / "many.html"))
    drawn(tab)
    legend = tab.locator(f"{LOSS} .legend")
    assert legend.evaluate("box => box.scrollHeight > box.clientHeight && box.clientHeight < 100 && box.tabIndex === 0")
    looks = legend.locator("svg").evaluate_all("all => all.map((one) => one.getAttribute('class'))")
    assert len(looks) == len(set(looks)) == 30, "a colour that comes again has other dashes"
    table = tab.locator(".tall:has(#runs-table)")
    table.evaluate("box => box.scrollTo(0, 600)")
    top, head = table.bounding_box()["y"], tab.locator("#runs-table thead th").nth(1).bounding_box()["y"]
    assert 0 <= head - top < 3 and table.bounding_box()["height"] < 900
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1400
