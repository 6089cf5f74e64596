"""A web server on loopback that serves a folder by ranges of bytes, counts requests, and fails on demand."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Fault = Callable[["Handler", bytes], None]
"""Answers a request in place of the server, given the bytes that would have been right."""


class Server(ThreadingHTTPServer):
    """Serves `root`; `faults` says by file name which faults the next requests meet, one after the other.

    A fault of a name that is in `always` meets every request.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.faults: dict[str, list[Fault]] = {}
        self.always: dict[str, Fault] = {}
        self.ranges = True
        self.requests: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.closing = threading.Event()
        self._counting = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, name: str, size: int) -> Fault | None:
        """Take down a request and return the fault that it meets."""
        with self._counting:
            self.requests[name] += 1
            self.sent[name] += size
            if name in self.always:
                return self.always[name]
            waiting = self.faults.get(name)
            return waiting.pop(0) if waiting else None

    def shards(self) -> int:
        """Return the requests for shards so far."""
        return sum(count for name, count in self.requests.items() if name.endswith(".tar"))

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hung up."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    status = 200

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        try:
            content = (self.server.root / name).read_bytes()
        except OSError:
            self.server.count(name, 0)
            self.send_error(404)
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked and self.server.ranges:
            self.status = 206
            content = content[int(asked[1]) : int(asked[2]) + 1]
            if not content:
                self.server.count(name, 0)
                self.send_error(416)
                return
        fault = self.server.count(name, len(content))
        if fault:
            fault(self, content)
        else:
            self.answer(content, told=len(content))

    def do_HEAD(self) -> None:
        path = self.server.root / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()

    def answer(self, content: bytes, *, told: int) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(told))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def dropped(handler: Handler, content: bytes) -> None:
    """Break off in the middle."""
    handler.answer(content[: len(content) // 2], told=len(content))
    handler.close_connection = True


def refused(handler: Handler, content: bytes) -> None:
    """Hang up without a word."""
    handler.close_connection = True


def short(handler: Handler, content: bytes) -> None:
    """Send half, and claim that it is all."""
    handler.answer(content[: len(content) // 2], told=len(content) // 2)


def flipped(handler: Handler, content: bytes) -> None:
    """Change one byte in 64."""
    handler.answer(bytes(b ^ 0x55 if i % 64 == 0 else b for i, b in enumerate(content)), told=len(content))


def unavailable(handler: Handler, content: bytes) -> None:
    handler.send_error(503)


def forbidden(handler: Handler, content: bytes) -> None:
    handler.send_error(403)


def silent(handler: Handler, content: bytes) -> None:
    """Accept the request and say nothing until the server closes."""
    handler.server.closing.wait()
    handler.close_connection = True


def trickling(handler: Handler, content: bytes) -> None:
    """Send the first bytes slowly enough that nobody would wait for the last one."""
    handler.send_response(handler.status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    for byte in content:
        handler.wfile.write(bytes([byte]))
        if handler.server.closing.wait(0.05):
            return


def slow(handler: Handler, content: bytes) -> None:
    """Send half, wait, send the rest."""
    time.sleep(0.5)
    handler.answer(content, told=len(content))


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    server = Server(root)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
