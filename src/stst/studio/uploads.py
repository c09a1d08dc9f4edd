"""Clips that the browser sends: stored under safe names, whole and readable, or not at all."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import AsyncIterable
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from stst.errors import RunError, StstError
from stst.studio import guard
from stst.studio.facts import read_facts
from stst.studio.library import CLIPS, FILMS, Library

LONGEST = 100  # bytes of a name without its suffix
PIECE = 1 << 20  # bytes that are written at once
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # on Windows
OTHER = ".film"  # the reader goes by the content


def add_uploads(app: FastAPI, library: Library) -> None:
    """Let the browser send clips: ``PUT /uploads?name=NAME``, with the file as the body.

    Parameters
    ----------
    app : FastAPI
        Application of the studio.
    library : Library
        Its folder ``clips`` gets the files. Parts that a killed studio left there are removed.
    """
    for part in (library.folder / CLIPS).glob(".*.part"):
        part.unlink(missing_ok=True)

    @app.get("/uploads/room")
    async def _room(size: int) -> Response:
        return await _reply(partial(refuse_large, library, size))

    @app.put("/uploads")
    async def _upload(request: Request, name: str = "") -> Response:
        stream = request.stream()
        size = int(request.headers.get("content-length", "0"))
        try:
            path = await receive(library, name, stream, size)
        except ClientDisconnect:
            return Response(status_code=400)
        except StstError as error:
            # A browser only reads the answer once it has sent everything.
            with suppress(ClientDisconnect):
                async for _ in stream:
                    pass
            return JSONResponse({"error": str(error)})  # with 200: no error of the page
        return JSONResponse({"name": path.name})


async def _reply(check: partial[None]) -> Response:
    try:
        await run_in_threadpool(check)
    except StstError as error:
        return JSONResponse({"error": str(error)})
    return JSONResponse({})


def refuse_large(library: Library, size: int) -> None:
    """Raise RunError if a file of `size` bytes is too large, or the disk has no room for it."""
    if size > guard.BODY:
        raise RunError(
            f"the file has {size / 1e9:.3g} GB, and at most {guard.BODY / 1e9:.3g} GB can be "
            "uploaded. Cut it first, or start the studio with its folder: stst studio --clips "
            "FOLDER."
        )
    free = shutil.disk_usage(library.folder).free
    if size > free:
        raise RunError(
            f"the file has {size / 1e9:.3g} GB, and the disk of the library has "
            f"{free / 1e9:.3g} GB free. Free space, or start the studio with the folder of the "
            "file: stst studio --clips FOLDER."
        )


def safe_name(name: str) -> str:
    r"""Return a name for a file that comes from elsewhere: no folders, no odd characters.

    Examples
    --------
    >>> safe_name("../../etc/x y.mp4"), safe_name("C:\\films\\a.MP4"), safe_name("")
    ('x-y.mp4', 'a.MP4', 'clip.film')
    """
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    stem, dot, suffix = last.rpartition(".")
    if dot + suffix.lower() not in FILMS:
        stem, suffix = last, OTHER.removeprefix(".")
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-.")
    stem = stem.encode()[:LONGEST].decode(errors="ignore")
    stem = f"clip-{stem}" if DEVICES.fullmatch(stem) else stem
    return f"{stem or 'clip'}.{suffix}"


async def receive(library: Library, name: str, pieces: AsyncIterable[bytes], size: int = 0) -> Path:
    """Store a file that is sent in pieces, and return its path in the library.

    Parameters
    ----------
    library : Library
        Its folder ``clips`` gets the file.
    name : str
        Name in the browser. It is made safe; a number is added if a file of that name exists.
    pieces : async iterable of bytes
        The content.
    size : int, default 0
        Its number of bytes, as announced.

    Raises
    ------
    RunError
        If the file is too large or empty, or the disk is full.
    FramesError
        If it cannot be read as a film. In all cases nothing is left in the folder.
    """
    await run_in_threadpool(refuse_large, library, size)
    name = safe_name(name)
    part, file = await run_in_threadpool(_open_part, library.folder / CLIPS, name)
    try:
        with file:
            await _fill(file, pieces, library)
        await run_in_threadpool(read_facts, part, name)
        return await run_in_threadpool(_finish, part, name)
    finally:
        part.unlink(missing_ok=True)


async def _fill(file: FileIO, pieces: AsyncIterable[bytes], library: Library) -> None:
    waiting, total = bytearray(), 0
    async for piece in pieces:
        waiting += piece
        total += len(piece)
        if total > guard.BODY:
            refuse_large(library, total)
        if len(waiting) >= PIECE:
            await run_in_threadpool(write, file, bytes(waiting))
            waiting.clear()
    if not total:
        raise RunError("the file is empty. Copy or download it again.")
    await run_in_threadpool(write, file, bytes(waiting), last=True)


def write(file: FileIO, data: bytes, *, last: bool = False) -> None:
    """Append to a file; RunError, in words, if the disk is full."""
    try:
        while data:
            data = data[file.write(data) :]
        if last:
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> RunError:
    return RunError(
        f"the file could not be stored: {error.strerror or error}. Free space on the disk of the "
        "library, and upload it again."
    )


def _numbered(folder: Path, name: str, number: int) -> Path:
    stem, dot, suffix = name.rpartition(".")
    return folder / (name if number == 1 else f"{stem}-{number}{dot}{suffix}")


def _open_part(folder: Path, name: str) -> tuple[Path, FileIO]:
    """Open ``.NAME.part``, with a number if another tab is sending a file of that name."""
    try:
        folder.mkdir(exist_ok=True)
        for number in range(1, 10_000):
            path = _numbered(folder, name, number)
            part = path.with_name(f".{path.name}.part")
            with suppress(FileExistsError):
                return part, FileIO(part, "x")
    except OSError as error:
        raise _no_room(error) from error
    raise RunError(f"too many files are named {name}. Rename the file.")


def _finish(part: Path, name: str) -> Path:
    """Give a file its name, or one with a number; no file is replaced."""
    for number in range(1, 10_000):
        path = _numbered(part.parent, name, number)
        if not os.path.lexists(path):
            part.rename(path)
            return path
    raise RunError(f"too many files are named {name}. Rename the file.")
