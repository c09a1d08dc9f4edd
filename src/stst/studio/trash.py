"""Deleted runs: moved to a folder of the library, from which they can be put back."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from stst.errors import RunError
from stst.storage.atomic import locked, write_whole
from stst.studio.library import Entry, Library
from stst.studio.queue import ENDED, Queue

TRASH, WHERE = "trash", "where.json"


@dataclass(frozen=True)
class Deleted:
    """A deleted run: its former name and its folder in the trash."""

    name: str
    folder: Path


def delete(library: Library, queue: Queue, entry: Entry) -> Deleted:
    """Move the folder of a run to ``.studio/trash``.

    Raises
    ------
    RunError
        If the folder is in use or cannot be moved.
    """
    for request in queue.requests.values():
        inside = entry.folder.is_relative_to(request.out) or request.out.is_relative_to(
            entry.folder
        )
        if inside and request.status not in ENDED:
            raise RunError(f"the queue still works on {request.out.name}. Cancel that first.")
    with locked(entry.folder):
        pass  # refuses a folder that another process is writing
    number = max((int(path.name) for path in _numbered(library)), default=0) + 1
    place = library.records / TRASH / f"{number:04}"
    try:
        place.mkdir(parents=True)
        write_whole(place / WHERE, json.dumps({"name": entry.name}))
        shutil.move(entry.folder, place / entry.folder.name)
    except OSError as error:
        raise RunError(f"{entry.name} cannot be moved: {error.strerror or error}.") from error
    return Deleted(entry.name, place / entry.folder.name)


def deleted(library: Library) -> list[Deleted]:
    """Return the runs in the trash, the last deleted first."""
    found = []
    for place in sorted(_numbered(library), reverse=True):
        try:
            name = str(json.loads((place / WHERE).read_text("utf-8"))["name"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        folder = place / Path(name).name
        if folder.is_dir():
            found.append(Deleted(name, folder))
    return found


def put_back(library: Library, run: Deleted) -> str:
    """Move a deleted run back, and return its name; a new one if another run has taken it.

    Raises
    ------
    RunError
        If it cannot be moved.
    """
    folder = library.folder / run.name
    if not folder.resolve().is_relative_to(library.folder) or folder.exists():
        folder = library.new_folder(Path(run.name).name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(run.folder, folder)
        shutil.rmtree(run.folder.parent, ignore_errors=True)
    except OSError as error:
        raise RunError(f"{run.name} cannot be moved: {error.strerror or error}.") from error
    return folder.relative_to(library.folder).as_posix()


def _numbered(library: Library) -> list[Path]:
    return [path for path in (library.records / TRASH).glob("*") if path.name.isdecimal()]
