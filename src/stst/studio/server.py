"""The server of the studio, on this computer alone."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from socket import create_server

import uvicorn
from fastapi import FastAPI, Request, Response
from nicegui import ui
from starlette.concurrency import run_in_threadpool

from stst.errors import FramesError, RunError
from stst.storage.atomic import locked
from stst.studio.guard import Guard
from stst.studio.library import Library
from stst.studio.listing import thumbnail
from stst.studio.pages import add_pages
from stst.studio.studio import Studio
from stst.studio.uploads import add_uploads

HOST = "127.0.0.1"


def studio_app(studio: Studio, token: str, port: int) -> FastAPI:
    """Make the web application of a studio.

    Parameters
    ----------
    studio : Studio
        What it shows.
    token : str
        The secret in its address.
    port : int
        Port at which it is served.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(studio.queue.work())
        yield
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(FramesError)
    async def _refuse(_: Request, error: FramesError) -> Response:
        return Response(str(error), 404, media_type="text/plain")

    @app.get("/media/{key}/{index}.png")
    async def _frame(key: str, index: int) -> Response:
        picture = await run_in_threadpool(lambda: studio.media.shown(key).png(index))
        return Response(picture, media_type="image/png", headers=KEEP)

    # Not among the pages: NiceGUI's middleware prints an error if a browser gives up a picture.
    @app.get("/thumbnail")
    async def _thumbnail(run: str) -> Response:
        picture = await run_in_threadpool(thumbnail, studio.library, run)
        if picture is None:
            return Response(status_code=404)
        return Response(picture, media_type="image/png", headers=KEEP)

    @app.get("/requests/{number}/{name}.png")
    async def _preview(number: int, name: str) -> Response:
        path = studio.queue.records(number) / f"{name}.png"
        if name not in ("preview", "natural") or not path.is_file():
            return Response(status_code=404)
        return Response(await run_in_threadpool(path.read_bytes), media_type="image/png")

    add_uploads(app, studio.library)
    add_pages(studio)
    ui.run_with(
        app, title="stst studio", show_welcome_message=False, reconnect_timeout=30, language="en-US"
    )
    app.add_middleware(Guard, token=token, port=port)
    return app


KEEP = {"Cache-Control": "private, max-age=3600, immutable"}  # an address names its content


def _log_to(path: Path) -> None:
    """Keep what the server libraries log in a file of limited size, not in the user's terminal."""
    handler = RotatingFileHandler(path, maxBytes=1 << 20, backupCount=1, delay=True)
    for name in ("nicegui", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False


def run_studio(
    folder: Path,
    clips: list[Path],
    port: int,
    started: Callable[[str, Callable[[], None]], object],
) -> None:
    """Serve a studio until Ctrl-C; then pause the running request.

    Parameters
    ----------
    folder, clips : Path, list of Path
        Library, and further folders of clips.
    port : int
        Port to listen at; 0: any free port.
    started : callable
        Called with the address to open, and a function that stops the server.

    Raises
    ------
    RunError
        If the library is in use or cannot be written, or the port cannot be used.
    """
    library = Library(folder, clips)
    with locked(library.records):
        studio = Studio.of(library)
        _log_to(library.records / "log.txt")
        try:
            listener = create_server((HOST, port), backlog=64)
        except (OSError, OverflowError) as error:
            raise RunError(
                f"cannot listen at {HOST}:{port}: {error}. Choose another port with --port."
            ) from error
        token, at = secrets.token_urlsafe(24), listener.getsockname()[1]
        config = uvicorn.Config(
            studio_app(studio, token, at),
            log_config=None,
            log_level="error",
            server_header=False,
            timeout_graceful_shutdown=3,
            ws_max_size=1 << 20,
        )
        server = uvicorn.Server(config)
        started(f"http://{HOST}:{at}/?token={token}", partial(setattr, server, "should_exit", True))
        with suppress(KeyboardInterrupt):  # uvicorn raises it once more, after it has shut down
            server.run([listener])
