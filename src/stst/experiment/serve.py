"""The web server of one experiment: its files, visits and responses, and nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socket import AF_INET, AF_INET6, create_server
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from stst.errors import ExperimentError, RunError
from stst.experiment.design import make_lists
from stst.experiment.export import CLIPS, LIB, PAGE, SPEC
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.store import Store
from stst.experiment.visits import Arrival, FullError, MovedError, Visits
from stst.storage.config import read_config

BODY = 1 << 20  # maximum bytes of a request
PATIENCE = 30  # s, for a request to arrive
CONNECTIONS = 64  # waiting to be accepted
RESPONSES, VISITS = "/responses", "/visits"
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def experiment_app(folder: Path, responses: Path, *, host: str = "127.0.0.1") -> Starlette:
    """Make the web application of an experiment.

    It serves the files that are in the folder now. Posted rows are on disk, once each, before they
    are confirmed.

    Parameters
    ----------
    folder, responses : Path
        Folder of the experiment, and folder for the responses.
    host : str
        Address to listen at. Requests for other hosts are refused, unless it is ``0.0.0.0`` or
        ``::``.

    Raises
    ------
    ExperimentError
        If the folder has no experiment, or responses cannot be saved.
    """
    app = Starlette(
        routes=[
            Route(RESPONSES, _present),
            Route(RESPONSES, _add_rows, methods=["POST"]),
            Route(VISITS, _begin_visit, methods=["POST"]),
            Route(f"{VISITS}/{{session}}", _tell_visit, methods=["POST"]),
            Route("/{path:path}", _send_file),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_guard)],
    )
    app.state.files, app.state.host = _files(folder), host
    app.state.visits = _visits(folder, Store(responses))
    return app


def _visits(folder: Path, store: Store) -> Visits:
    spec = ExperimentSpec.parse(read_config(folder / SPEC))
    lists = len(make_lists(spec, read_set(folder)))
    return Visits(store, spec.recruitment, spec.fingerprint, lists)


def _files(folder: Path) -> dict[str, Path]:
    """Return the files of the page, its scripts and films by address, without links."""
    if not (folder / PAGE).is_file():
        raise ExperimentError(
            f"{folder} holds no experiment. Make one: stst experiment new TASK SET --out {folder}."
        )
    paths = [folder / PAGE, *folder.glob(f"{LIB}/*"), *folder.glob(f"{CLIPS}/*")]
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    names = {f"/{quote(path.relative_to(folder).as_posix())}": path for path in files}
    return {"/": folder / PAGE, **names}


async def _guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Answer only requests from pages of this server, not from other sites.

    The connection is closed after a refusal, and if a body may be left unread.
    """
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    own = request.app.state.host
    named = (host.rpartition(":")[0] or host) in ("127.0.0.1", "localhost", own)
    if (named or own in ("0.0.0.0", "::")) and origin in (None, f"http://{host}"):
        response = await call_next(request)
    else:
        response = Response(status_code=404)
    response.headers.update(HEADERS)
    unread = request.method != "POST" and {"content-length", "transfer-encoding"} & {
        *request.headers.keys()
    }
    if response.status_code >= 400 or unread:
        response.headers["Connection"] = "close"
    return response


def _present(_: Request) -> Response:
    return JSONResponse({"stst": 1})


async def _add_rows(request: Request) -> Response:
    """Save rows; the answer has the number of rows of the session on disk."""

    def add(data: Any) -> dict[str, Any]:  # noqa: ANN401
        return {"rows": request.app.state.visits.add_rows(data["rows"], data.get("turn"))}

    return await _answer(request, add)


async def _begin_visit(request: Request) -> Response:
    return await _answer(request, lambda data: request.app.state.visits.begin(Arrival(**data)))


async def _tell_visit(request: Request) -> Response:
    """Save consent, answers or outcome of a visit."""

    def tell(data: Any) -> dict[str, Any]:  # noqa: ANN401
        session = request.path_params["session"]
        request.app.state.visits.tell(session, data["turn"], data["facts"])
        return {}

    return await _answer(request, tell)


async def _answer(request: Request, work: Callable[[Any], dict[str, Any]]) -> Response:
    """Answer a JSON request of limited size with the result of `work`."""
    length = request.headers.get("content-length", "")
    if not re.fullmatch("[0-9]{1,9}", length) or "transfer-encoding" in request.headers:
        return Response(status_code=411)
    if int(length) > BODY:
        return Response(status_code=413)
    try:
        async with asyncio.timeout(PATIENCE):
            data = json.loads(await request.body())
        return JSONResponse(await run_in_threadpool(work, data))
    except TimeoutError:
        return Response(status_code=408)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ClientDisconnect):
        return Response(status_code=400)
    except MovedError:
        return Response(status_code=409)
    except FullError:
        return Response(status_code=503)
    except (OSError, RunError):
        return Response(status_code=507)


def _send_file(request: Request) -> Response:
    path = request.app.state.files.get(request.scope["raw_path"].decode("latin-1"))
    if path is None or path.is_symlink() or not path.is_file():  # it may have been deleted since
        return Response(status_code=404)
    if not _is_single_range(request.headers.get("range", "")):
        kept = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        request.scope["headers"][:] = kept
    return FileResponse(path)


def _is_single_range(text: str) -> bool:
    """Whether a request is for one range of bytes; other ranges are ignored."""
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", text, re.ASCII)
    first, last = match.groups() if match else ("", "")
    return bool(first or last) and not (first and last and int(last) < int(first))


class _PatientProtocol(H11Protocol):
    """HTTP that disconnects clients who do not finish a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Return whether a complete request must still be answered."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
        return True

    def _wait(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._unset_keepalive_if_required()
            hang_up = self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(PATIENCE, hang_up)


def serve(
    folder: Path,
    responses: Path,
    host: str,
    port: int,
    started: Callable[[str, Callable[[], None]], object],
) -> None:
    """Serve an experiment and save its responses, until Ctrl-C.

    Parameters
    ----------
    folder, responses : Path
        Folder of the experiment, and folder for the responses.
    host, port : str, int
        Address to listen at; port 0: any free port.
    started : callable
        Called with the address to open, and a function that stops the server.

    Raises
    ------
    ExperimentError
        If the folder has no experiment, or the port cannot be used.
    """
    app = experiment_app(folder, responses, host=host)
    family = AF_INET6 if ":" in host else AF_INET
    try:
        listener = create_server((host, port), family=family, backlog=CONNECTIONS)
    except (OSError, OverflowError) as error:
        raise ExperimentError(
            f"cannot listen at {host}:{port}: {error}. Choose another port with --port."
        ) from error
    config = uvicorn.Config(
        app,
        http=_PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        server_header=False,
        backlog=CONNECTIONS,
        timeout_keep_alive=PATIENCE,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    address, at, *_ = listener.getsockname()
    started(f"http://{address}:{at}/", partial(setattr, server, "should_exit", True))
    server.run([listener])
