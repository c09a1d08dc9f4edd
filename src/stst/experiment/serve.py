"""A web server for one experiment: its files, and a place for responses. Nothing else."""

from __future__ import annotations

import json
import mimetypes
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import socket
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from stst.errors import ExperimentError
from stst.experiment.export import CLIPS, LIB, PAGE
from stst.experiment.store import Store

BODY = 1 << 20  # bytes of a request, at most
PATIENCE, CHUNK = 30, 1 << 16  # s without a byte; bytes
RESPONSES = "/responses"


class Site(HTTPServer):
    """What a handler knows: the files by their addresses, and where responses go."""

    table: Mapping[str, Path]
    store: Store


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of files, and POST of responses."""

    server: Site
    server_version, sys_version = "stst", ""
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Give a file, or how many sessions there are."""
        self._read(body=True)

    def do_HEAD(self) -> None:
        """Give the same without its body."""
        self._read(body=False)

    def do_POST(self) -> None:
        """Take rows; the answer says how many of the session are on disk."""
        length = self.headers.get("Content-Length", "")
        self.close_connection = True  # unless the whole body is read
        if not self._is_ours() or urlsplit(self.path).path != RESPONSES:
            return self._refuse(HTTPStatus.NOT_FOUND)
        if not re.fullmatch("[0-9]{1,9}", length) or "Transfer-Encoding" in self.headers:
            return self._refuse(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > BODY:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            told = json.loads(self.rfile.read(int(length)))
            have = self.server.store.add(told["rows"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return self._refuse(HTTPStatus.BAD_REQUEST)
        except OSError:
            return self._refuse(HTTPStatus.INSUFFICIENT_STORAGE)
        self.close_connection = False
        return self._answer_json({"rows": have})

    def _read(self, *, body: bool) -> None:
        self.close_connection |= self.headers.get("Content-Length", "0") != "0"
        self.close_connection |= "Transfer-Encoding" in self.headers  # a body that is not read
        path = urlsplit(self.path).path if self.path.isascii() else ""
        if not self._is_ours() or (path != RESPONSES and path not in self.server.table):
            return self._refuse(HTTPStatus.NOT_FOUND)
        if path == RESPONSES:
            return self._answer_json({"stst": 1, "next": self.server.store.sessions})
        try:
            handle = os.open(self.server.table[path], os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return self._refuse(HTTPStatus.NOT_FOUND)
        with os.fdopen(handle, "rb") as file:
            return self._send(file, mimetypes.guess_type(path if path != "/" else PAGE)[0], body)

    def _is_ours(self) -> bool:
        """Whether the page that asks is of this server: no other site may speak for it."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        known = {"127.0.0.1", "localhost", str(self.server.server_address[0])}
        open_to_all = self.server.server_address[0] in ("0.0.0.0", "::")
        named = host.rpartition(":")[0] or host
        return (named in known or open_to_all) and origin in (None, f"http://{host}")

    def _send(self, file: BinaryIO, kind: str | None, body: bool) -> None:
        size = os.fstat(file.fileno()).st_size
        wanted = self.headers.get("Range")
        first, last = 0, size - 1
        if wanted is not None and (span := _span(wanted, size)) is not None:
            first, last = span
            if first > last:
                headers = {"Content-Range": f"bytes */{size}"}
                return self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers)
        else:
            wanted = None
        headers = {
            "Content-Type": kind or "application/octet-stream",
            "Content-Length": str(last - first + 1),
            "Accept-Ranges": "bytes",
        }
        if wanted is not None:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._head(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK, headers)
        file.seek(first)
        left = last - first + 1 if body else 0
        while left and (data := file.read(min(CHUNK, left))):
            self.wfile.write(data)
            left -= len(data)

    def _answer_json(self, data: object) -> None:
        text = json.dumps(data).encode()
        self._head(
            HTTPStatus.OK, {"Content-Type": "application/json", "Content-Length": str(len(text))}
        )
        if self.command != "HEAD":
            self.wfile.write(text)

    def _refuse(self, status: HTTPStatus, more: Mapping[str, str] | None = None) -> None:
        self.close_connection = True
        self._head(status, {"Content-Length": "0", "Connection": "close", **(more or {})})

    def _head(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """A library does not print."""


def _span(text: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a range; None for what is no single range and is left unheeded.

    Examples
    --------
    >>> _span("bytes=2-", 10), _span("bytes=-3", 10), _span("bytes=4-99", 10)
    ((2, 9), (7, 9), (4, 9))
    >>> _span("bytes=20-", 10), _span("lines=1-2", 10)
    ((20, 9), None)
    """
    found = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", text)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last or size), size - 1)


CONNECTIONS = 64


class Server(ThreadingMixIn, Site):
    """Serves the files that lay in an experiment's folder when it began, and takes responses.

    A path is looked up in a table of those files: nothing else has a name here. At most
    `CONNECTIONS` requests are answered at once; others wait.

    Parameters
    ----------
    folder, responses : Path
        As `stst experiment new` wrote it; where the CSV files go.
    host, port
        ``127.0.0.1`` is this machine alone; 0 is any port that is free.

    Raises
    ------
    ExperimentError
        If the folder holds no experiment, or the port cannot be had.
    """

    daemon_threads = True
    request_queue_size = CONNECTIONS

    def __init__(
        self, folder: Path, responses: Path, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.table = _table(folder)
        self.store = Store(responses)
        self._free = BoundedSemaphore(CONNECTIONS)
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise ExperimentError(
                f"{host}:{port} cannot be served: {error}. Choose another with --port."
            ) from error

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/"

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer in a thread of its own, once one is free."""
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer, and free the thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401
        """Say nothing: a client that went away, or spoke no HTTP, is no fault of the server."""


def _table(folder: Path) -> Mapping[str, Path]:
    """Address -> file, of the page, its scripts and its films; no links."""
    if not (folder / PAGE).is_file():
        raise ExperimentError(
            f"{folder} holds no experiment. Make one: stst experiment new TASK SET --out {folder}."
        )
    places = [folder / PAGE, *folder.glob(f"{LIB}/*"), *folder.glob(f"{CLIPS}/*")]
    files = [path for path in places if path.is_file() and not path.is_symlink()]
    names = {f"/{path.relative_to(folder).as_posix()}": path for path in files}
    return {"/": folder / PAGE, **names}
