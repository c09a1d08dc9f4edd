"""Files that are there whole or not at all, whatever stops the process."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from stst.errors import RunError


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file so that its name only ever stands for all of its bytes.

    A temporary file in the same folder is flushed to disk and then takes the name, and
    the folder is flushed too, so that a loss of power keeps data before name.

    Raises
    ------
    RunError
        If the folder is missing or full; whatever had the name is still there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _flush_folder(path.parent)
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_folder(folder: Path, *, overwrite: bool) -> None:
    """Say before any work that a run could not be written to `folder`; makes nothing.

    Raises
    ------
    RunError
        If it is not empty and `overwrite` is false, or cannot be made or written to.
    """
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not (nearest.is_dir() and os.access(nearest, os.R_OK | os.W_OK)):
        raise _no_folder(folder, f"{nearest} is not a folder that can be written to")
    if nearest == folder and any(folder.iterdir()) and not overwrite:
        raise RunError(
            f"{folder} already holds files. Give another folder, or --overwrite to replace them."
        )


def new_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the folder of a run; RunError where `refuse_folder` or the disk refuses."""
    refuse_folder(folder, overwrite=overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_folder(folder, error.strerror or str(error)) from error


def _no_folder(folder: Path, reason: str) -> RunError:
    return RunError(f"the folder {folder} cannot be used: {reason}. Give another with --out.")
