"""A study's workspace and report at W&B: what the specification holds, without a network."""

import json
import sys

import pytest

from frido.contracts.errors import FridoError
from frido.report import workspace
from frido.report.workspace import main, specification, tracked

pytest.importorskip("wandb_workspaces", reason="wandb-workspaces is not installed: pip install '.[workspaces]'")
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic V1 style")  # of the package, while it is imported


@pytest.fixture
def folder(make_study):
    """A study of three arms and two seeds, all tracked but the last job."""
    made = make_study(seeds=2)
    for place, job in enumerate(json.loads((made / "study.json").read_text())["jobs"][:-1]):
        (made / job["directory"] / "wandb.json").write_text(json.dumps({"id": f"id{place}"}))
    first = made / "../../shared/autoencoder"
    (first / "wandb.json").write_text(json.dumps({"id": "first"}))
    with (first / "metrics.jsonl").open("a") as file:
        for images in (13_120, 13_440):
            file.write(json.dumps({"images": images, "autoencoder/usage_0": 0.5, "held_out/perplexity_0": 90.0}) + "\n")
    return made


def panels(section: dict, kind: str) -> list[dict]:
    return [panel["config"] for panel in section["panels"] if panel["viewType"] == kind]


def test_the_workspace_shows_the_runs_of_the_study_and_no_others(folder):
    view = specification(tracked(folder), entity="team")["workspace"]
    assert (view["entity"], view["project"], view["displayName"]) == ("team", "frido", "Study widths")
    section = view["spec"]["section"]
    (chosen,) = section["runSets"][0]["filters"]["filters"]
    assert chosen["key"] == {"section": "run", "name": "name"} and chosen["op"] == "IN"
    assert chosen["value"] == ["id0", "id1", "id2", "id3", "id4", "first"]
    colors = section["customRunColors"]
    assert colors["id0"] == colors["id1"] != colors["id2"] == colors["id3"] != colors["id4"]
    assert section["settings"]["xAxis"] == "images"


def test_its_panels(folder):
    view = specification(tracked(folder), entity="team")["workspace"]["spec"]["section"]
    sections = {section["name"]: section for section in view["panelBankConfig"]["sections"]}
    assert list(sections) == [
        *("Final numbers", "Curves: autoencoder", "Codebooks", "Curves: denoiser", "Curves: fid", "Curves: judge"),
        *("Pictures", "What differs in the settings"),
    ]
    bars = panels(sections["Final numbers"], "Bar Chart")
    assert [bar["metrics"] for bar in bars] == [["fid/scenes@512"], ["is/scenes@512"], ["judge/recall"]], (
        "one panel per name: two protocols never share an axis"
    )
    assert {bar["groupBy"] for bar in bars} == {"sweep.value.arm"} and {bar["groupArea"] for bar in bars} == {"stddev"}
    (loss,) = [
        line
        for line in panels(sections["Curves: denoiser"], "Run History Line Plot")
        if line["metrics"] == ["denoiser/loss"]
    ]
    assert (loss["xAxis"], loss["groupAgg"], loss["groupArea"]) == ("images", "mean", "minmax")
    books = panels(sections["Codebooks"], "Run History Line Plot")
    assert [line["metrics"] for line in books] == [["autoencoder/usage_0"], ["held_out/perplexity_0"]]
    (media,) = panels(sections["Pictures"], "Media Browser")
    assert media["mediaKeys"] == ["samples"]
    assert panels(sections["What differs in the settings"], "Run Comparer") == [{"diffOnly": "split"}]


def test_the_report_has_a_set_of_runs_per_arm(folder):
    told = specification(tracked(folder), entity="team")
    spec = json.loads(told["report"]["spec"]) if isinstance(told["report"]["spec"], str) else told["report"]["spec"]
    text = json.dumps(spec)
    assert "Does a wider denoiser draw better?" in text and "wide1" in text, "the question, and what is not there"
    grids = [block for block in spec["blocks"] if block["type"] == "panel-grid"]
    sets = grids[0]["metadata"]["runSets"]
    assert [one["name"] for one in sets] == ["narrow", "middle (reference)", "wide"]
    assert [one["filters"]["filters"][0]["value"] for one in sets] == [["id0", "id1"], ["id2", "id3"], ["id4"]]
    places = [tuple(panel["layout"].values()) for panel in grids[0]["metadata"]["panelBankSectionConfig"]["panels"]]
    assert len(set(places)) == len(places) == 3, "no panel lies on another"
    assert told["untracked"] == ["wide1"]


def test_the_door_writes_it_into_the_study(folder, capsys):
    assert main([str(folder), "--entity", "team"]) == 0
    out = folder / "wandb_workspace.json"
    assert capsys.readouterr().out.strip() == str(out)
    assert json.loads(out.read_text())["study"] == "widths"


def test_a_study_that_was_not_tracked(make_study, capsys):
    assert main([str(make_study(seeds=1))]) == 2
    assert "tracking=offline" in capsys.readouterr().err


def test_no_study(make_run, capsys):
    assert main([str(make_run())]) == 2
    assert "study.json" in capsys.readouterr().err


def test_without_the_package(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    assert main([str(folder)]) == 2
    assert "frido[workspaces]" in capsys.readouterr().err


def test_publishing_needs_a_login(folder, monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(FridoError, match="wandb login"):
        workspace.publish(tracked(folder), entity="team")


def test_publishing_saves_both(folder, monkeypatch):
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    class Saved:
        def __init__(self, url: str) -> None:
            self.url = url

    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(ws.Workspace, "save", lambda made: Saved(f"workspace {made.name}"))
    monkeypatch.setattr(wr.Report, "save", lambda made: Saved(f"report {made.title}"))
    assert workspace.publish(tracked(folder), entity="team") == ["workspace Study widths", "report Study widths"]
