import json
import subprocess

import pytest

from frido.cli import provenance

HARDWARE = {"device": "cpu", "devices": 1, "nodes": 1, "precision": "fp32", "compile": "none", "threads": 2}
HARDWARE |= {"tf32": True, "channels_last": False}


@pytest.fixture
def facts(monkeypatch) -> dict:
    monkeypatch.setenv("WANDB_API_KEY", "a-secret-of-mine")
    return provenance.collect(door="frido.run", arguments=["seed=1", "a='x y'"], hardware=HARDWARE)


def test_facts(facts):
    assert facts["command"] == """python -m frido.run seed=1 'a='"'"'x y'"'"''"""
    assert facts["overrides"] == ["seed=1", "a='x y'"]
    assert facts["threads"] == 2
    assert facts["versions"]["torch"].startswith("2.")
    assert "a-secret-of-mine" not in json.dumps(facts)


def test_continuing_announces_what_differs(tmp_path, facts):
    assert provenance.record(tmp_path, facts) == []
    assert provenance.record(tmp_path, facts) == []
    moved = facts | {"threads": 4, "versions": facts["versions"] | {"torch": "9.9"}}
    announced = provenance.record(tmp_path, moved)
    assert announced == [f"versions: torch {facts['versions']['torch']} -> 9.9", "threads: 2 -> 4"]
    assert provenance.record(tmp_path, moved) == []
    provenance.complete(tmp_path, data={"hash": "abc"})
    written = json.loads((tmp_path / "provenance.json").read_text())
    assert (written["threads"], len(written["continued"]), written["data"]) == (2, 3, {"hash": "abc"})


def test_checkout_is_described(tmp_path, monkeypatch):
    package = tmp_path / "repository" / "frido"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(provenance.frido, "__path__", [str(package)])
    assert provenance.git() is None
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"]):
        subprocess.run(["git", *command], cwd=tmp_path / "repository", check=True)
    clean = provenance.git()
    assert clean is not None
    assert (len(clean["commit"]), clean["dirty"], clean["diff"]) == (40, False, "")
    (package / "__init__.py").write_text("changed = True\n")
    dirty = provenance.git()
    assert dirty is not None
    assert dirty["dirty"]
    assert "+changed = True" in dirty["diff"]


def test_foreign_repository_around_an_installed_copy_does_not_count(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    author = ["-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run(["git", *author, "commit", "-q", "--allow-empty", "-m", "m"], cwd=tmp_path, check=True)
    package = tmp_path / "site-packages" / "frido"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(provenance.frido, "__path__", [str(package)])
    assert provenance.git() is None
