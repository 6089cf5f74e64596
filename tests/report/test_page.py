"""The page: whole, offline, honest, and safe against its own contents."""

import base64
import hashlib
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.report import page


class Elements(HTMLParser):
    """All tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.hidden = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.hidden = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden = False

    def handle_data(self, data):
        if not self.hidden:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def data_of(text: str) -> dict:
    """Return what the page's scripts draw."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def charts_of(text: str, section: str = "curves") -> dict[str, dict]:
    """Return the charts of curves by their titles."""
    return {chart["title"]: chart for chart in data_of(text)["sections"][section]["charts"].values()}


@pytest.fixture
def drawn(run_directory) -> tuple[str, Elements]:
    out = page.write([run_directory], run_directory / "report.html")
    text = out.read_text()
    return text, Elements(text)


def test_loads_nothing_from_outside(drawn):
    text, elements = drawn
    for tag, attributes in elements.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "data", "action", "srcset", "poster"):
            place = attributes.get(name)
            assert place is None or place.startswith(("data:image/", "#")), (tag, name, place)
    css = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    assert "@import" not in css and "url(" not in css
    policy = next(attributes["content"] for tag, attributes in elements.tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_the_browser_accepts_only_our_scripts(drawn):
    text, _ = drawn
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"&#39;sha256-{digest}&#39;" for digest in digests)
    assert len(scripts) == 2 and f"script-src {allowed}" in text and "unsafe-eval" not in text


def test_shows_the_numbers_with_their_controls_in_one_row(drawn):
    _, elements = drawn
    row = elements.text.split("judge/recall conditioned objects")[1].split("Fréchet")[0]
    assert all(number in row for number in ("0.81", "0.985", "0.2125", "3.8 ×"))
    assert "41.37" in elements.text and "5.218" in elements.text and "± 0.31" in elements.text
    assert "weights_hash feed5678" in elements.text, "the card is folded out"


def test_a_score_taken_while_training_is_a_curve_and_no_final_number(drawn):
    _, elements = drawn
    table, _, rest = elements.text.partition("Samples beside their scene graphs")
    assert "fid/scenes@128" not in table and "fid/scenes@128" in rest


def test_images_are_embedded_whole(run_directory, drawn):
    text, elements = drawn
    files = [*run_directory.glob("samples/test/*/*.png"), *run_directory.glob("pictures/*/*.png")]
    assert len(files) == 10
    for file in files:
        assert base64.b64encode(file.read_bytes()).decode() in text
    assert sum(tag == "img" for tag, _ in elements.tags) == 12, "and two of the first stage"


def test_every_scene_has_its_graph_and_what_the_judge_missed(drawn):
    text, elements = drawn
    assert text.count('class="sg"') == 4
    assert "✗" in elements.text and "no such colour there" in elements.text
    assert "found 5 of 7 objects in all scenes" in elements.text


def test_shows_config_provenance_and_curves(drawn):
    text, elements = drawn
    for words in (
        "python -m frido.run experiment=vg_sg2im",
        "4f2a9c1",
        "torch 2.15.0",
        "images: 32768",
        "1.705M",
        "finished",
    ):
        assert words in elements.text, words
    assert {"denoiser/loss", "autoencoder/psnr", "judge/recall"} <= set(charts_of(text))
    assert set(charts_of(text, "codebooks")) == {"autoencoder/codebook_usage"}


def test_absent_parts_are_said(tmp_path):
    (tmp_path / "config.yaml").write_text("size: {images: 64}\n")
    text = Elements(page.write([tmp_path], tmp_path / "report.html").read_text()).text
    for part in ("metrics.jsonl", "provenance.json", "samples", "evaluation.json", "checkpoints"):
        assert f"{part} is not in the run directory" in text
    assert "trained on 0 of 64 images" in text and "Nothing has been evaluated yet" in text


def test_warnings_stand_in_plain_sight(run_directory):
    protocol = run_directory / "samples" / "test" / "protocol.json"
    protocol.write_text(json.dumps({"note": "four photographs: no metric means anything at this size"}))
    cards = {
        "fid/scenes": {"refused": "4 images; at least 129 are needed", "note": "train"},
        "judge/recall": {"note": "train"},
    }
    (run_directory / "evaluation.json").write_text(json.dumps(cards))
    lines = (
        (run_directory / "metrics.jsonl").read_text()
        + json.dumps({"images": 32769, "denoiser/loss": math.nan, "data/lost": 3.0})
        + "\n"
    )
    (run_directory / "metrics.jsonl").write_text(lines)
    text = page.write([run_directory], run_directory / "report.html").read_text()
    warnings = re.findall(r'<li class="warning">(.*?)</li>', text)
    assert any("no metric means anything" in words for words in warnings)
    assert any(words == "fid/scenes: no number, 4 images; at least 129 are needed" for words in warnings)
    assert "fid/scenes, judge/recall: train" in warnings, "a note that cards share is told once"
    assert any("denoiser/loss was not finite 1 times, first at 32" in words for words in warnings)
    assert any(words.startswith("3 training samples could not be read") for words in warnings)


EVIL = "<script>alert('&\"')</script>"


def test_foreign_words_stay_words(run_directory, make_run):
    samples = run_directory / "samples" / "test"
    scenes = json.loads((samples / "scenes.json").read_text())
    scenes[0]["objects"][0]["category"] = scenes[0]["id"] = EVIL
    scenes[0]["objects"][0]["attributes"] = ['" onload="alert(1)', "red"]
    scenes[0]["captions"] = [EVIL]
    (samples / "scenes.json").write_text(json.dumps(scenes))
    (samples / "protocol.json").write_text(json.dumps({EVIL: EVIL, "note": EVIL}))
    (samples / "found.json").write_text(json.dumps([[{"object": 0, "found": False, "why": EVIL}], [], [], []]))
    (run_directory / "provenance.json").write_text(json.dumps({"command": EVIL, "git": {"diff": EVIL}, EVIL: EVIL}))
    (run_directory / "config.yaml").write_text(f"# {EVIL}\nname: x\n")
    with (run_directory / "metrics.jsonl").open("a") as file:
        for images in (1, 2):
            file.write(json.dumps({"images": images, f"{EVIL}/0": 1.0, f"fid/{EVIL}": 2.0}) + "\n")
    (run_directory / "evaluation.json").write_text(json.dumps({f"fid/{EVIL}": {EVIL: EVIL, "note": EVIL}}))
    other = make_run(name="other")
    for runs in ([run_directory], [run_directory, other]):
        text = page.write(runs, run_directory / "report.html").read_text()
        assert text.count("<script") == 3 and "<script>alert" not in text
        elements = Elements(text)
        assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
        assert EVIL in elements.text


def test_a_picture_that_is_none_is_named(run_directory):
    file = run_directory / "samples" / "test" / "generated" / "000001.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(FridoError, match=r"000001\.png"):
        page.write([run_directory], run_directory / "report.html")
    assert not (run_directory / "report.html").exists()


def test_the_judge_may_have_looked_at_the_first_scenes_only(run_directory):
    found = run_directory / "samples" / "test" / "found.json"
    found.write_text(json.dumps([[{"object": 0, "found": True, "why": "at the left; not left of the red circle"}]]))
    text = page.write([run_directory], run_directory / "report.html").read_text()
    assert "found 1 of 1 objects in the first 1 scenes" in Elements(text).text
    assert len(re.findall(r'<li class="partly".*?<small>not left of the red circle</small>', text)) == 1


def test_large_pictures_are_packed_and_small_ones_keep_hard_pixels(run_directory):
    import os

    file = run_directory / "samples" / "test" / "real" / "000000.png"
    Image.frombytes("RGB", (256, 256), os.urandom(256 * 256 * 3)).save(file)
    assert file.stat().st_size > 150_000
    elements = Elements(page.write([run_directory], run_directory / "report.html").read_text())
    first, second = [attributes for tag, attributes in elements.tags if tag == "img"][:2]
    assert first["src"].startswith("data:image/webp") and "class" not in first
    assert second["src"].startswith("data:image/png") and second["class"] == "pixelated"


def test_own_scenes_have_no_real_image(run_directory):
    shutil.rmtree(run_directory / "samples" / "test" / "real")
    protocol = {"note": "drawn from my.json"}
    (run_directory / "samples" / "test" / "protocol.json").write_text(json.dumps(protocol))
    text = page.write([run_directory], run_directory / "report.html").read_text()
    assert "no real image" not in text and "generated image of" in text
    assert '<li class="note">Samples test: drawn from my.json</li>' in text, "no warning"


def test_only_so_many_scenes_are_shown_and_the_page_says_so(run_directory):
    text = page.write([run_directory], run_directory / "report.html", scenes=2).read_text()
    assert text.count('class="sg"') == 2 and "The first 2 of 4 scenes, in order, not chosen." in text


def test_several_runs_stand_side_by_side(tmp_path, make_run):
    first, second = make_run(), make_run(name="second", recall=0.6, width=64)
    text = page.write([first, second], tmp_path / "both.html").read_text()
    elements = Elements(text)
    differences = text.split('id="differences"')[1].split("</section>")[0]
    assert re.findall(r'<th scope="row" class="sticky"><code>(.*?)</code>', differences) == ["size.width"], (
        "only what differs"
    )
    assert "<code>48</code>" in differences and "<code>64</code>" in differences
    assert "0.81" in elements.text and "0.6" in elements.text
    assert text.count('class="sg"') == 4, "one graph per scene, not per run"
    assert sum(tag == "article" for tag, _ in elements.tags) == 4
    article = text.split("<article")[1]
    assert article.count("<img") == 3, "one real image and one of each run"
    charts = charts_of(text)
    assert [line["runs"] for line in charts["denoiser/loss"]["lines"]] == [[0], [1]]
    assert [line["runs"] for line in charts["autoencoder/psnr"]["lines"]] == [[0, 1]], "the shared one is shown once"
    assert [run["name"] for run in data_of(text)["runs"]] == ["width=48", "width=64"]


def test_runs_measured_differently_are_not_compared_in_silence(tmp_path, make_run):
    first, second = make_run(), make_run(name="second")
    cards = json.loads((second / "evaluation.json").read_text())
    cards["fid/scenes@512"]["protocol"]["steps"] = 50
    (second / "evaluation.json").write_text(json.dumps(cards))
    text = page.write([first, second], tmp_path / "r.html").read_text()
    warnings = re.findall(r'<li class="warning">(.*?)</li>', text)
    assert len(warnings) == 1 and "fid/scenes@512" in warnings[0] and "protocol.steps" in warnings[0]
    panels = data_of(text)["sections"]["metrics"].values()
    of_fid = [([cell["run"] for cell in panel["cells"]], panel["title"]) for panel in panels if "fid" in panel["title"]]
    assert of_fid == [([0], "fid/scenes@512, steps 20"), ([1], "fid/scenes@512, steps 50")], "not on one axis"


def test_the_page_is_a_function_of_the_directory(run_directory):
    once = page.write([run_directory], run_directory / "a.html").read_bytes()
    assert page.write([run_directory], run_directory / "b.html").read_bytes() == once


def test_a_place_that_cannot_be_written_is_refused(run_directory):
    (run_directory / "file").write_text("in the way")
    with pytest.raises(FridoError, match=re.escape(str(run_directory / "file" / "report.html"))):
        page.write([run_directory], Path(run_directory / "file" / "report.html"))


def test_what_a_view_showed_stands_before_the_real_image(run_directory):
    samples, out = run_directory / "samples" / "test", run_directory / "report.html"
    plain = page.write([run_directory], out).read_text()
    assert "what the model is shown" not in plain and "nothing shown" not in plain
    (samples / "shown").mkdir()
    shutil.copy(samples / "real" / "000000.png", samples / "shown" / "000000.png")
    text = page.write([run_directory], out).read_text()
    assert text.count("what the model is shown of") == 1 and "nothing shown" in text
    first = text.index("what the model is shown of")
    assert first < text.index("real image of") < text.index("generated image of")


def test_bands_of_time_share_a_panel(run_directory):
    metrics = run_directory / "metrics.jsonl"
    rows = [{"images": n, **{f"validation/loss/scale1/band{k}": 0.1 * k + 1 / n for k in range(4)}} for n in (64, 128)]
    metrics.write_text(metrics.read_text() + "".join(json.dumps(row) + "\n" for row in rows))
    charts = charts_of(page.write([run_directory], run_directory / "report.html").read_text())
    labels = [line["label"] for line in charts["validation/loss/scale1/bands of time"]["lines"]]
    assert labels == ["band 0, cleanest", "band 1", "band 2", "band 3"]


def draw_again(run, tag, changes):
    """Leave samples of another kind in `run`, with cards like its own but for `changes`."""
    shutil.copytree(run / "samples" / "test", run / "samples" / tag)
    own = json.loads((run / "evaluation.json").read_text())
    cards = {name: {**own.get(name, {}), **change} for name, change in changes.items()}
    (run / "samples" / tag / "evaluation.json").write_text(json.dumps(cards))


def scores_of(text, tag):
    """Return the rows of a tag's table, as words."""
    part = text.split(f"<h3>{tag}</h3>")[1].split('<div class="scenes">')[0]
    return [Elements(row).text for row in re.findall(r"<tr>\s*<td.*?</tr>", part, re.DOTALL)]


def test_samples_drawn_otherwise_stand_beside_the_runs_own(run_directory):
    changes = {
        "judge/recall": {"value": 0.7777},
        "judge/recall_real": {"value": 0.985},
        "is/scenes@512": {"value": 5.5, "splits": 5},
        "is_std/scenes@512": {"value": 0.25},
        "fid/scenes@128": {"value": 50.25},
        "fid/scenes@4": {"refused": "4 images; at least 129 are needed"},
    }
    draw_again(run_directory, "test-ddim", changes)
    text = page.write([run_directory], run_directory / "report.html").read_text()
    fid, refused, inception, recall = sorted(scores_of(text, "test-ddim"))
    assert recall == "judge/recall higher is better 0.7777 0.81"
    assert inception == "is/scenes@512 higher is better 5.5 ± 0.25 5.218 ± 0.31 not measured alike: splits"
    assert fid == "fid/scenes@128 lower is better 50.25 –", "a number of the training is none of the run's own"
    assert refused.endswith("– – No number: 4 images; at least 129 are needed")
    assert scores_of(text, "test") == []
    warnings = re.findall(r'<li class="warning">(.*?)</li>', text)
    assert "Samples test-ddim, fid/scenes@4: no number, 4 images; at least 129 are needed" in warnings
    assert "0.7777" not in text.split("Samples beside their scene graphs")[0]


def test_samples_of_several_runs_are_told_apart(tmp_path, make_run):
    first, second = make_run(), make_run(name="second", recall=0.6)
    draw_again(second, "heun", {"judge/recall": {"value": 0.65}})
    text = page.write([first, second], tmp_path / "both.html").read_text()
    assert scores_of(text, "heun") == ["judge/recall higher is better second 0.65 0.6"]


def test_cards_of_samples_that_are_none_are_refused(run_directory):
    draw_again(run_directory, "heun", {})
    (run_directory / "samples" / "heun" / "evaluation.json").write_text('{"judge/recall": 0.5}')
    with pytest.raises(FridoError, match=r"heun/evaluation\.json, 'judge/recall'"):
        page.write([run_directory], run_directory / "report.html")
