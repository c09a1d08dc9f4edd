"""Files that are there whole or not at all, whatever stops the process."""

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

UNFINISHED = "unfinished"  # the part of a run's folder that is there until the run has ended
LOCKS, BY_FILE = "STST_LOCKS", "file"  # a variable of the user's, and its one value
UNSUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}  # by a file system


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file so that its name only ever stands for all of its bytes.

    A temporary file is flushed to disk, read back, and takes the name, and the folder is flushed.
    RunError if the disk is full or gives back something else; what had the name is still there.
    """
    data = data.encode() if isinstance(data, str) else data
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if part.read_bytes() != data:
            raise OSError(errno.EIO, "the disk gives back something else")
        os.replace(part, path)
        flush_folder(path.parent)
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink()


def flush_folder(folder: Path) -> None:
    """Bring names in a folder to disk, where the system and the disk can do that."""
    if os.name == "nt":  # which opens no folders
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
    """Remove what writers that were killed have left in a run's folder and those below it."""
    for pattern in (".*.[0-9]*.part", "*/.*.[0-9]*.part"):
        for part in folder.glob(pattern):
            part.unlink(missing_ok=True)


def refuse_full(folder: Path, need: int) -> None:
    """RunError, before any work, if the disk of `folder` has no room for `need` bytes."""
    free = shutil.disk_usage(_nearest(folder)).free
    if need > free:
        raise RunError(
            f"{folder} may need {need / 1e9:.3g} GB while the run goes on, and its disk has "
            f"{free / 1e9:.3g} GB free. Make room, or give a folder on another disk with --out."
        )


def _nearest(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def refuse_folder(folder: Path, *, overwrite: bool) -> None:
    """RunError, before any work, if `folder` cannot be written to, or not without `overwrite`."""
    nearest = _nearest(folder)
    if not (nearest.is_dir() and os.access(nearest, os.R_OK | os.W_OK)):
        raise _no_folder(folder, f"{nearest} is not a folder that can be written to")
    if nearest == folder and any(folder.iterdir()) and not overwrite:
        stopped = f"; or go on with the run that was stopped there: stst resume {folder}"
        raise RunError(
            f"{folder} already holds files. Give another folder, or --overwrite to replace them"
            f"{stopped if (folder / UNFINISHED).is_dir() else ''}."
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


class InUse(RunError):
    """Another process works in the folder of a run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``run.lock`` of a folder, however the process ends; InUse if another does.

    With ``STST_LOCKS=file`` in the environment the file itself is the lock: for disks without locks
    of files. One that was left on another machine must then be removed by hand.
    """
    path, by_file = folder / "run.lock", os.environ.get(LOCKS) == BY_FILE
    lock = SoftFileLock(path) if by_file else FileLock(path, mode=0o644, fallback_to_soft=False)
    is_new = not path.exists()
    try:
        folder.stat()  # some versions of filelock would make the folder
        # A file that its holder removes meanwhile guards nothing; the next try makes it anew.
        lock.acquire(timeout=0.1, poll_interval=0.02)
    except Timeout:
        remedy = f" If it has ended, remove {path}." if isinstance(lock, SoftFileLock) else ""
        raise InUse(
            f"{folder} is in use by {_holder(path)}. Wait until it has ended, or stop it.{remedy}"
        ) from None
    except OSError as error:
        with suppress(OSError):
            if is_new and not path.stat().st_size:  # what filelock leaves would be a lock by itself
                path.unlink()
        raise RunError(f"{path} cannot be locked: {_reason(error)}.") from error
    try:
        if not isinstance(lock, SoftFileLock):  # whose file says it already
            with suppress(OSError):  # Windows lets nobody write to a file that is locked
                path.write_text(f"{os.getpid()}\n{platform.node()}\n", "utf-8")
        yield
    finally:
        with suppress(OSError):  # Windows removes no file that is open
            path.unlink()  # before it is let go of: nobody else's is removed
        lock.release()


def _reason(error: OSError) -> str:
    """Why a file cannot be locked, and how to go on where its disk has no locks."""
    reason = error.strerror or str(error)
    if error.errno not in UNSUPPORTED | {errno.ENOLCK}:
        return reason
    return (
        f"{reason}. Some network disks have no locks: give a folder on another disk with --out, or "
        f"set the environment variable {LOCKS}={BY_FILE} in every process that works there"
    )


def _holder(path: Path) -> str:
    """Who holds a lock, as its file says: a process and its machine, a line each."""
    try:
        process, machine, *_ = path.read_text("utf-8", errors="replace")[:200].splitlines()
    except (OSError, ValueError):  # of another form
        return "another process"
    return f"process {process} on {machine}"
