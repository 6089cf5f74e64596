"""The live page, over real HTTP on this machine."""

import html
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from frido.contracts.errors import FridoError
from frido.report import watch
from frido.report.__main__ import main
from frido.report.serve import Live, server


class Browser:
    """Asks a live page of `root`, whose thread is not started: `look` is its turn."""

    def __init__(self, root: Path) -> None:
        self.live = Live(root=root, scenes=2)
        self.server = server(self.live, port=0)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def look(self) -> None:
        self.live.watch.look()

    def ask(self, path: str = "/", *, method: str = "GET", host: str | None = None) -> tuple[int, dict, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{self.port}")
        connection.endheaders()
        answer = connection.getresponse()
        told = answer.status, dict(answer.headers), answer.read().decode()
        connection.close()
        return told

    def version(self) -> dict:
        return json.loads(self.ask("/version")[2])

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def browse() -> Iterator:
    made = []

    def open(root: Path) -> Browser:
        made.append(Browser(root))
        return made[0]

    yield open
    for browser in made:
        browser.close()


def grow(run: Path, loss: float = 0.1) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"images": 40_000, "denoiser/loss": loss}) + "\n")


def test_the_page_grows_with_the_run(browse, make_run):
    run = make_run()
    browser = browse(run.parents[1])
    assert "Waiting for runs" in browser.ask()[2]
    browser.look()
    status, headers, text = browser.ask()
    first = browser.version()
    assert status == 200 and headers["Cache-Control"] == "no-store"
    assert f'data-version="{first["version"]}"' in text and "vg_sg2im" in text and first["problem"] == ""
    browser.look()
    assert browser.version() == first, "nothing new, nothing to load again"
    grow(run)
    make_run(name="later")
    browser.look()
    assert browser.version()["version"] != first["version"] and "later" in browser.ask()[2]


def test_a_torn_line_is_no_problem_and_a_broken_file_is_told(browse, make_run):
    run = make_run()
    browser = browse(run)
    browser.look()
    good = browser.version()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"images": 40000, "deno')
    browser.look()
    assert browser.version()["problem"] == ""
    (run / "evaluation.json").write_text("{")
    browser.look()
    news = browser.version()
    assert "evaluation.json" in news["problem"] and browser.ask()[0] == 200
    assert good["version"] and f'data-version="{news["version"]}"' in browser.ask()[2], "the last good page stays"


def test_a_browser_may_load_nothing_else_and_talk_to_nobody_else(browse, make_run):
    browser = browse(make_run())
    pages = [browser.ask()[2]]
    browser.look()
    pages.append(browser.ask()[2])
    for text in pages:
        policy = html.unescape(re.search('Content-Security-Policy" content="([^"]+)"', text)[1])
        parts = dict(part.split(" ", 1) for part in policy.split("; "))
        assert parts.keys() == {"default-src", "img-src", "style-src", "script-src", "connect-src"}
        assert (parts["default-src"], parts["connect-src"], parts["img-src"]) == ("'none'", "'self'", "data:")
        assert all(source.startswith("'sha256-") for source in parts["script-src"].split())
    headers = browser.ask()[1]
    assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "x"]
)
@pytest.mark.parametrize("path", ["/", "/version"])
def test_names_of_others_that_point_here_are_refused(browse, make_run, host, path):
    browser = browse(make_run())
    status, _, text = browser.ask(path, host=host.format(port=browser.port))
    assert status == 403 and "version" not in text


def test_this_machine_by_name(browse, make_run):
    browser = browse(make_run())
    assert browser.ask(host=f"localhost:{browser.port}")[0] == 200


@pytest.mark.parametrize("path", ["/metrics.jsonl", "/../etc/passwd", "/%2e%2e/", "/runs/", "/version/x"])
def test_there_are_no_files(browse, make_run, path):
    assert browse(make_run()).ask(path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(browse, make_run, method):
    browser = browse(make_run())
    status, headers, _ = browser.ask(method=method)
    assert status == 405 and headers["Allow"] == "GET, HEAD"


def test_head_has_no_body(browse, make_run):
    status, headers, text = browse(make_run()).ask(method="HEAD")
    assert status == 200 and int(headers["Content-Length"]) > 0 and text == ""


def test_a_taken_port(browse, make_run, capsys):
    browser = browse(make_run())
    with pytest.raises(FridoError, match="in use"):
        server(browser.live, port=browser.port)
    assert main(["--watch", str(browser.live.watch.root), "--serve", "--port", str(browser.port)]) == 2
    assert "--port 0" in capsys.readouterr().err


def test_only_this_machine_is_listened_to(browse, make_run):
    assert browse(make_run()).server.server_address[0] == "127.0.0.1"


def test_a_page_that_nobody_looks_at_is_not_drawn(make_run, monkeypatch):
    live = Live(root=make_run(), scenes=2)
    drawn = []
    monkeypatch.setattr(live.watch, "look", lambda: drawn.append(1) or live.over.set() or 0.0)
    live.run()
    live.over.clear()
    live.asked -= 60
    thread = threading.Thread(target=live.run, daemon=True)
    thread.start()
    thread.join(0.3)
    live.over.set()
    thread.join()
    assert len(drawn) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--serve"], "--serve alone"),
        (["--watch", "{run}", "{run}"], "--watch DIR"),
        (["--watch", "{run}", "--serve", "--out", "{run}/a.html"], "--serve and --out"),
        (["--watch", "{run}/nothing"], "no such folder"),
        (["--watch", "{run}", "--scenes", "-1"], "--scenes"),
        (["--watch", "{run}", "--serve", "--port", "70000"], "--port 70000"),
        ([], "RUN_DIR"),
    ],
)
def test_mistakes_are_told_in_four_parts(run_directory, capsys, arguments, words):
    assert main([text.format(run=run_directory) for text in arguments]) == 2
    told = capsys.readouterr().err
    assert words in told and all(part in told for part in ("got:", "wanted:", "do:"))


def test_ctrl_c_ends_it(make_run):
    command = [sys.executable, "-m", "frido.report", "--watch", str(make_run()), "--serve", "--port", "0"]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = serving.stdout.readline().split()[0]
    connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=5)
    connection.request("GET", "/version")
    assert connection.getresponse().status == 200, "also while a browser keeps its connection"
    os.kill(serving.pid, signal.SIGINT)
    _, told = serving.communicate(timeout=10)
    assert serving.returncode == 0 and told.strip() == ""
    connection.close()


def test_a_browser_shows_what_is_new_where_the_reader_was(browse, make_run, visit, monkeypatch):
    monkeypatch.setattr(watch, "PAUSE_SECONDS", 0.1)
    run = make_run()
    browser = browse(run)
    tab = visit.open(browser.address)
    assert tab.get_by_role("heading", name="Waiting for runs").is_visible()
    browser.look()
    tab.get_by_role("heading", name="vg_sg2im").first.wait_for(timeout=10_000)
    tab.locator("#provenance").scroll_into_view_if_needed()
    tab.evaluate("history.replaceState(null, '', '#curves')")
    before = tab.evaluate("document.getElementById('provenance').getBoundingClientRect().top")
    assert tab.evaluate("scrollY") > 500
    old = browser.version()["version"]
    grow(run, loss=0.987)
    browser.look()
    tab.locator(f'html:not([data-version="{old}"])').wait_for(timeout=15_000)
    tab.wait_for_load_state("load")
    tab.wait_for_timeout(300)
    after = tab.evaluate("document.getElementById('provenance').getBoundingClientRect().top")
    assert abs(after - before) < 40, "the reader stays at the place"
    assert tab.evaluate("location.hash") == "#curves"
    assert "40000" in tab.evaluate("document.getElementById('data').textContent")
    assert tab.locator("div[role=status]").last.inner_text().startswith("live")
