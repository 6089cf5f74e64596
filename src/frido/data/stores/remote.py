"""Files below a URL, asked for until they come or patience ends."""

import errno
import functools
import os
import time
from collections.abc import Callable
from typing import Any

from frido.contracts.errors import FridoError

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
"""Protocol -> the extra of this project that installs what reads it."""


class Remote:
    """Reads files of one folder by any protocol that fsspec knows, from several threads and after a fork.

    A request that fails is repeated after each of `PAUSES`, unless the answer is final (not there, not allowed). A
    file that was asked for in vain is refused without asking for `FORGET` seconds, so that a bad shard costs its
    tries once and not for each of its samples. Every request over an asynchronous protocol (http, s3, gs) has a
    deadline, so that nobody waits for more than `PATIENCE` seconds and one request.

    Args:
        url: Of the folder.

    Raises:
        FridoError: What reads this protocol is not installed.
    """

    PAUSES = (1.0, 3.0, 9.0, 27.0)
    """Seconds between the tries; one more than there are pauses."""
    PATIENCE = 120.0
    """Seconds after which there is no other try."""
    CONNECT = 10.0
    """Seconds that a connection may take (http)."""
    SILENCE = 20.0
    """Seconds without a byte (http)."""
    DEADLINE = 60.0
    """Seconds that a request may take in all."""
    FORGET = 60.0
    """Seconds that a failure is remembered."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._protocol = url.partition("://")[0]
        self._own: tuple[int, Any, str] | None = None
        self._failures: dict[str, tuple[float, int, str]] = {}
        self._system()

    def where(self, name: str) -> str:
        return f"{self.url}/{name}"

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return the bytes `[start, end)` of a file: fewer where it ends before, all of it from a server that knows
        no ranges.

        Raises:
            OSError: In vain; its `strerror` says why.
        """
        return self._tried(name, functools.partial(self._call, "cat_file", start=start, end=end))

    def size(self, name: str) -> int | None:
        """Return the bytes of a file; `None` where the server does not say.

        Raises:
            OSError: As for `get`.
        """
        return self._tried(name, functools.partial(self._call, "info"))["size"]

    def give_up(self, name: str, why: str, number: int = errno.EIO) -> OSError:
        """Return the error of a file that cannot be had, and raise it at once for whoever asks for the file next."""
        self._failures[name] = (time.monotonic() + self.FORGET, number, why)
        return OSError(number, why)

    def recall(self, name: str) -> None:
        """Ask for nothing that was given up a moment ago.

        Raises:
            OSError: The one that was raised then.
        """
        until, number, why = self._failures.get(name, (0.0, 0, ""))
        if time.monotonic() < until:
            raise OSError(number, why)

    def _tried(self, name: str, ask: Callable[[str], Any]) -> Any:
        self.recall(name)
        began = time.monotonic()
        for tried, pause in enumerate((*self.PAUSES, None), start=1):
            try:
                return ask(name)
            except Exception as error:  # each protocol has classes of its own
                status = _status(error)
                if status == 416:  # the file ends before the range
                    return b""
                late = time.monotonic() - began + (pause or 0) > self.PATIENCE
                if pause is None or late or _final(error, status):
                    times = f", {tried} times" if tried > 1 else ""
                    number = errno.ENOENT if _absent(error, status) else errno.EIO
                    raise self.give_up(name, _why(error, status) + times, number) from None
            time.sleep(pause)
        raise AssertionError

    def _call(self, method: str, name: str, **arguments: Any) -> Any:
        from fsspec.asyn import AsyncFileSystem, sync

        system, root = self._system()
        path = f"{root}/{name}"
        if isinstance(system, AsyncFileSystem):
            return sync(system.loop, getattr(system, f"_{method}"), path, timeout=self.DEADLINE, **arguments)
        return getattr(system, method)(path, **arguments)

    def _system(self) -> tuple[Any, str]:
        """Return this process's own file system, since its event loop does not survive a fork, and the path in it."""
        own = self._own
        if own is None or own[0] != os.getpid():
            own = self._own = (os.getpid(), *self._connected())
        return own[1:]

    def _connected(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            options = self._options() if self._protocol in ("http", "https") else {}
            return url_to_fs(self.url, skip_instance_cache=True, use_listings_cache=False, **options)
        except (ImportError, ValueError) as error:
            extra = EXTRAS.get(self._protocol)
            do = f"pip install frido[{extra}]" if extra else "install the package that reads it, or copy the dataset"
            raise FridoError(
                self.url, got=error, wanted=f"an fsspec file system for {self._protocol}://", do=do
            ) from None

    def _options(self) -> dict[str, Any]:
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=self.DEADLINE, connect=self.CONNECT, sock_read=self.SILENCE)
        return {"client_kwargs": {"timeout": timeout, "headers": {"Accept-Encoding": "identity"}}}


def _status(error: Exception) -> int | None:
    """Return the HTTP status behind an error. fsspec calls every failed `info` over http `FileNotFoundError`."""
    for one, name in ((error.__cause__, "status"), (error, "status"), (error, "code")):  # `code` is gcsfs's name
        if isinstance(status := getattr(one, name, None), int):
            return status
    return None


def _absent(error: Exception, status: int | None) -> bool:
    return status == 404 or (status is None and isinstance(error, FileNotFoundError) and error.__cause__ is None)


def _final(error: Exception, status: int | None) -> bool:
    """Return whether asking again would give the same answer."""
    if status is not None:
        return 400 <= status < 500 and status not in (408, 425, 429)
    return _absent(error, status) or isinstance(error, PermissionError | IsADirectoryError | NotADirectoryError)


def _why(error: Exception, status: int | None) -> str:
    if _absent(error, status):
        return "no such file"
    if status is not None:
        return f"HTTP {status}"
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return f"{type(cause).__name__}: {cause}".rstrip(": ").splitlines()[0]
