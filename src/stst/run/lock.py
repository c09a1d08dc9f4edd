"""One process at a time in the folder of a run."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stst.errors import RunError


class InUse(RunError):
    """Another process works in the folder of a run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``run.lock`` of a folder; the kernel lets go of it however the process ends.

    Raises
    ------
    InUse
        If another process holds it, which is named.
    RunError
        If there can be no lock.
    """
    path = folder / "run.lock"
    try:
        handle = _taken(path)
    except InUse:
        raise
    except OSError as error:
        raise RunError(f"{path} cannot be locked: {error.strerror or error}.") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is let go of: nobody else's is removed
        os.close(handle)


def _taken(path: Path) -> int:
    """The lock's file, held."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that was removed in between guards nothing.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return _named(handle)
        except BlockingIOError:
            holder = os.read(handle, 200).decode(errors="replace") or "another process"
            os.close(handle)
            raise InUse(
                f"{path.parent} is in use by {holder}. Wait until it has ended, or stop it."
            ) from None
        os.close(handle)


def _named(handle: int) -> int:
    os.ftruncate(handle, 0)
    os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
    return handle
