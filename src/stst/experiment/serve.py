"""A web application for one experiment: its files, its visits and responses. Nothing else."""

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

BODY = 1 << 20  # bytes of a request, at most
PATIENCE = 30  # s for a request to come
CONNECTIONS = 64  # that wait to be accepted
RESPONSES, VISITS = "/responses", "/visits"
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def experiment_app(folder: Path, responses: Path, *, host: str = "127.0.0.1") -> Starlette:
    """Make the web application of an experiment.

    It serves the files that lie in the folder now, and nothing else. Rows that are posted are in
    the folder of responses before they are acknowledged, once each. `host` is the address that is
    listened at: requests for another host are refused, unless it is ``0.0.0.0`` or ``::``. Raises
    ExperimentError if the folder holds no experiment, or there can be no responses.
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
    """Address -> file, of the page, its scripts and its films; no links."""
    if not (folder / PAGE).is_file():
        raise ExperimentError(
            f"{folder} holds no experiment. Make one: stst experiment new TASK SET --out {folder}."
        )
    paths = [folder / PAGE, *folder.glob(f"{LIB}/*"), *folder.glob(f"{CLIPS}/*")]
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    names = {f"/{quote(path.relative_to(folder).as_posix())}": path for path in files}
    return {"/": folder / PAGE, **names}


async def _guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Answer only pages of this server, so that no other site can speak for them.

    A connection is closed after a refusal, and where a body may be left unread.
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
    """Take rows; the answer says how many of the session are on disk."""

    def add(data: Any) -> dict[str, Any]:  # noqa: ANN401
        return {"rows": request.app.state.visits.add_rows(data["rows"], data.get("turn"))}

    return await _answer(request, add)


async def _begin_visit(request: Request) -> Response:
    return await _answer(request, lambda data: request.app.state.visits.begin(Arrival(**data)))


async def _tell_visit(request: Request) -> Response:
    """Take facts of a visit."""

    def tell(data: Any) -> dict[str, Any]:  # noqa: ANN401
        session = request.path_params["session"]
        request.app.state.visits.tell(session, data["turn"], data["facts"])
        return {}

    return await _answer(request, tell)


async def _answer(request: Request, work: Callable[[Any], dict[str, Any]]) -> Response:
    """Answer a request that has JSON, of bounded size, with what `work` makes of it."""
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
    if path is None or path.is_symlink() or not path.is_file():  # a file may be gone since
        return Response(status_code=404)
    if not _is_single_range(request.headers.get("range", "")):
        kept = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        request.scope["headers"][:] = kept
    return FileResponse(path)


def _is_single_range(text: str) -> bool:
    """Whether bytes are asked for in one piece; any other range is left unheeded."""
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", text, re.ASCII)
    first, last = match.groups() if match else ("", "")
    return bool(first or last) and not (first and last and int(last) < int(first))


class _PatientProtocol(H11Protocol):
    """HTTP that hangs up on clients who begin a request and send no more of it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Say whether a whole request is still to be answered, though no other will come."""
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
    """Show an experiment in a browser and keep its responses, until Ctrl-C.

    Port 0 is any that is free. `started` gets the address to open, and a function that ends the
    server. Raises ExperimentError if the folder holds no experiment, or the port cannot be had.
    """
    app = experiment_app(folder, responses, host=host)
    family = AF_INET6 if ":" in host else AF_INET
    try:
        listener = create_server((host, port), family=family, backlog=CONNECTIONS)
    except (OSError, OverflowError) as error:
        raise ExperimentError(
            f"{host}:{port} cannot be served: {error}. Choose another with --port."
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
