"""Files that are there whole or not at all, whatever stops the process."""

from __future__ import annotations

import os
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
        part.unlink(missing_ok=True) if path.parent.is_dir() else None
        raise RunError(f"{path} could not be written: {error.strerror or error}.") from error


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def new_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the folder of a run, or refuse one that holds something.

    Raises
    ------
    RunError
        If it is not empty and `overwrite` is false, or cannot be made or written to.
    """
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise RunError(
            f"{folder} already holds files. Give another folder, or --overwrite to replace them."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RunError(
            f"the folder {folder} cannot be written to: {error.strerror or error}. "
            "Give another with --out."
        ) from error
