"""The plotting library is the published one, small enough, with its licences."""

import hashlib

import pytest

from frido.report import vendor


@pytest.mark.parametrize("part", vendor.parts(), ids=lambda part: part["name"])
def test_files_are_the_published_ones(part):
    content = (vendor.FOLDER / part["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == part["sha256"] and len(content) == part["bytes"]
    assert f"v{part['version']} ".encode() in content[:120], "its own first line says so"
    assert "Copyright" in (vendor.FOLDER / part["licence_file"]).read_text()


def test_the_library_is_small_and_can_stand_inside_a_page():
    text = vendor.library()
    assert len(text.encode()) < 1_500_000 and "</script" not in text.lower() and "<!--" not in text
    known = {part[key] for part in vendor.parts() for key in ("file", "licence_file")}
    beside = {path.name for path in vendor.FOLDER.iterdir() if path.is_file()} - {"__init__.py", "vendor.json"}
    assert beside == known, "no file without a card"
