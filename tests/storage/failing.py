"""Calls to the operating system that fail when told to, and a writer that is not safe."""

import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path


def naive(path, data):
    """Plant a bug: write under the name itself."""
    with path.open("wb") as file:
        file.write(data)


class Injected(OSError):
    """Raised in place of a call to the operating system."""


class Calls:
    """Counts calls to the operating system by name; the k-th fails, a write half-way."""

    def __init__(self, monkeypatch, fail_at=None):
        self.names, self._fail_at = [], fail_at
        for name in ("fsync", "replace", "open", "close"):
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))
        opened = Path.open
        monkeypatch.setattr(Path, "open", lambda path, *a, **k: self._open(opened, path, *a, **k))

    def _watched(self, name, call):
        def watched(*given, **named):
            label = name
            if name == "fsync":
                folder = stat.S_ISDIR(os.fstat(given[0]).st_mode)
                label += " folder" if folder else " file"
            self._count(label)
            return call(*given, **named)

        return watched

    def _count(self, name):
        self.names.append(name)
        if len(self.names) == self._fail_at:
            raise Injected(errno.EIO, "injected")

    @contextmanager
    def _open(self, opened, path, *how, **named):
        self._count("create")
        with opened(path, *how, **named) as file:
            yield _Half(file, self._count) if how == ("wb",) else file


class _Half:
    """A file that writes the first half before a write can fail."""

    def __init__(self, file, count):
        self._file, self._count = file, count
        self.flush, self.fileno = file.flush, file.fileno

    def write(self, data):
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        self._count("write")
        self._file.write(data[half:])
