"""The page of a folder of runs, live, for browsers on this machine alone."""

import errno
import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from markupsafe import Markup

from frido.contracts.errors import FridoError
from frido.report import page, template
from frido.report.gather import gather
from frido.report.watch import Watch

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")
SCRIPT = "live.js"
LOOKED_AT_SECONDS = 30.0
"""A page that no browser asked about for this long is not drawn anew."""
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Live:
    """The page as it is now. A thread draws it; the browsers' requests are answered from memory.

    Args:
        root: Looked through for runs and studies.
        scenes: At most this many scenes are shown of each set of samples.
    """

    def __init__(self, *, root: Path, scenes: int) -> None:
        self.scenes = scenes
        self.watch = Watch(root=root, draw=self._draw)
        self._show(waiting(root))
        self.asked = time.monotonic()
        self.over = threading.Event()

    def run(self) -> None:
        """Look until `over` is set, while somebody looks at the page."""
        while not self.over.is_set():
            pause = 1.0
            if time.monotonic() - self.asked < LOOKED_AT_SECONDS:
                pause = self.watch.look()
            self.over.wait(pause)

    def news(self) -> bytes:
        """Return what the page's script asks for: which page there is now, and what is wrong, if anything."""
        return json.dumps({"version": self.version, "problem": self.watch.problem}).encode()

    def _draw(self, places: list[Path]) -> None:
        self._show(page.render(gather(places, scenes=self.scenes), scripts=[SCRIPT], connect="'self'"))

    def _show(self, text: str) -> None:
        version = hashlib.sha256(text.encode()).hexdigest()[:16]
        # In the page itself, so that its script knows which one it belongs to.
        self.page = text.replace("<html ", f'<html data-version="{version}" ', 1).encode()
        self.version = version


def waiting(root: Path) -> str:
    """Return the page of a folder in which no run has begun yet."""
    script = template.text(SCRIPT)
    values = {"root": str(root), "policy": page.policy([script], "'self'"), "script": Markup(script)}
    return template.filled("waiting.html.j2", values)


class Handler(BaseHTTPRequestHandler):
    """Answers two questions of browsers on this machine, and no others: there are no files here."""

    live: Live
    protocol_version = "HTTP/1.1"
    server_version = "frido"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        answers: dict[str, tuple[str, Callable[[], bytes]]] = {
            "/": ("text/html; charset=utf-8", lambda: self.live.page),
            "/version": ("application/json", self.live.news),
        }
        assert isinstance(self.server, Server)
        host, _, port = self.headers.get("Host", "").rpartition(":")
        path = self.path.partition("?")[0]
        if host not in NAMES or port != str(self.server.server_port):
            # Another site's name that was made to point here: its scripts would read the page.
            return self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"This page is for this machine alone.\n")
        if path not in answers:
            return self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"There is one page here: /\n")
        self.live.asked = time.monotonic()
        kind, content = answers[path]
        self._answer(HTTPStatus.OK, kind, content())

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self.close_connection = True  # what was sent is not read
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"Nothing can be changed here.\n")

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that go away in the middle of an answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def server(live: Live, *, port: int) -> Server:
    """Return the server, which listens already, on this machine's own address only.

    Raises:
        FridoError: The port is taken, or not for this user.
    """
    try:
        return Server((LOOPBACK, port), type("Handler", (Handler,), {"live": live}))
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        got = "in use by another program" if taken else error
        do = "--port 0 takes a free one."
        raise FridoError(f"--port {port}", got=got, wanted="a free port of this machine", do=do) from None


def serve(root: Path, *, port: int, scenes: int) -> None:
    """Show the page of `root` at http://127.0.0.1:PORT until Ctrl-C.

    Raises:
        FridoError: The port is taken.
    """
    live = Live(root=root, scenes=scenes)
    with server(live, port=port) as listening:
        drawing = threading.Thread(target=live.run, daemon=True)
        drawing.start()
        print(f"http://{LOOPBACK}:{listening.server_port}/  (Ctrl-C ends it)", flush=True)
        try:
            listening.serve_forever()
        except KeyboardInterrupt:
            print("", file=sys.stderr)
        finally:
            live.over.set()
