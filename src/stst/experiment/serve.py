"""A web server for one experiment: its files, and a place for responses. Nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from socket import socket
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore
from typing import Any

from stst.errors import ExperimentError
from stst.experiment.export import CLIPS, LIB, PAGE
from stst.experiment.handler import Handler, Site
from stst.experiment.store import Store

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
