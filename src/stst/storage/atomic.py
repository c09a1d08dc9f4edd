"""Atomic file writes, run folders and their locks."""

from __future__ import annotations

import errno
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from stst.errors import RunError

UNFINISHED = "unfinished"  # subfolder of a run that exists until the run has ended
LOCKS, BY_FILE = "STST_LOCKS", "file"  # environment variable, and its only value
UNSUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}  # by the file system


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file atomically: the name always refers to a complete file.

    The data are written to a temporary file, flushed, read back and renamed; the folder is
    flushed too. RunError if the disk is full or returns other bytes; an existing file is then
    unchanged.
    """
    data = data.encode() if isinstance(data, str) else data
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if part.read_bytes() != data:
            raise OSError(errno.EIO, "the disk returned other data than was written")
        os.replace(part, path)
        flush_folder(path.parent)
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink()


def flush_folder(folder: Path) -> None:
    """Flush the file names of a folder to disk, if the system can."""
    if os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    finally:
        os.close(handle)


def clear_parts(folder: Path) -> None:
    """Remove temporary files that killed processes left in a run folder and its subfolders."""
    for pattern in (".*.[0-9]*.part", "*/.*.[0-9]*.part"):
        for part in folder.glob(pattern):
            part.unlink(missing_ok=True)


def refuse_full(folder: Path, need: int) -> None:
    """Raise RunError, before any work, if the disk of `folder` has less than `need` bytes free."""
    free = shutil.disk_usage(_nearest(folder)).free
    if need > free:
        raise RunError(
            f"{folder} may need {need / 1e9:.3g} GB during the run, and its disk has "
            f"{free / 1e9:.3g} GB free. Free space, or give a folder on another disk with --out."
        )


def _nearest(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def refuse_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise RunError, before any work, if `folder` cannot be written to or needs `overwrite`."""
    nearest = _nearest(folder)
    if not (nearest.is_dir() and os.access(nearest, os.R_OK | os.W_OK)):
        raise _no_folder(folder, f"{nearest} is not a folder, or is not writable")
    if nearest == folder and any(folder.iterdir()) and not overwrite:
        stopped = f"; or resume the stopped run: stst resume {folder}"
        raise RunError(
            f"{folder} is not empty. Give another folder, or --overwrite to replace its files"
            f"{stopped if (folder / UNFINISHED).is_dir() else ''}."
        )


def new_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the folder of a run; RunError if that is not possible."""
    refuse_folder(folder, overwrite=overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_folder(folder, error.strerror or str(error)) from error


def _no_folder(folder: Path, reason: str) -> RunError:
    return RunError(f"the folder {folder} cannot be used: {reason}. Give another with --out.")


class InUse(RunError):
    """Another process is using the folder of a run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder with its file ``run.lock``; InUse if another process holds the lock.

    The lock is released however the process ends. With ``STST_LOCKS=file`` in the environment,
    for disks without file locks, the existence of the file is the lock; one left behind by
    another machine must then be removed by hand.
    """
    path, by_file = folder / "run.lock", os.environ.get(LOCKS) == BY_FILE
    lock = SoftFileLock(path) if by_file else FileLock(path, mode=0o644, fallback_to_soft=False)
    is_new = not path.exists()
    try:
        folder.stat()  # because some versions of filelock create the folder
        # If the holder removes the file meanwhile, the next attempt creates it again.
        lock.acquire(timeout=0.1, poll_interval=0.02)
    except Timeout:
        remedy = f" If it has ended, remove {path}." if isinstance(lock, SoftFileLock) else ""
        raise InUse(
            f"{folder} is in use by {_holder(path)}. Wait until it ends, or stop it.{remedy}"
        ) from None
    except OSError as error:
        with suppress(OSError):
            if is_new and not path.stat().st_size:  # a left-over file would act as a lock
                path.unlink()
        raise RunError(f"{path} cannot be locked: {_reason(error)}.") from error
    try:
        if not isinstance(lock, SoftFileLock):  # whose file names the holder already
            with suppress(OSError):  # Windows cannot write to a locked file
                path.write_text(f"{os.getpid()}\n{platform.node()}\n", "utf-8")
        yield
    finally:
        with suppress(OSError):  # Windows cannot remove an open file
            path.unlink()  # before release, so that no other lock is removed
        lock.release()


def _reason(error: OSError) -> str:
    """Explain why a file cannot be locked, and what to do on disks without locks."""
    reason = error.strerror or str(error)
    if error.errno not in UNSUPPORTED | {errno.ENOLCK}:
        return reason
    return (
        f"{reason}. Some network disks have no file locks: give a folder on another disk with "
        f"--out, or set the environment variable {LOCKS}={BY_FILE} for every process that uses it"
    )


def _holder(path: Path) -> str:
    """Read the holder of a lock from its file: a process and its machine, one per line."""
    try:
        process, machine, *_ = path.read_text("utf-8", errors="replace")[:200].splitlines()
    except (OSError, ValueError):  # another format
        return "another process"
    return f"process {process} on {machine}"
