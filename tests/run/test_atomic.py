"""Files are whole or not there, whatever fails; each fault is shown to catch a bad writer."""

import errno
import os
import stat
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stst.errors import RunError
from stst.run.atomic import new_folder, refuse_folder, write_whole

OLD, NEW = b"old " * 300, b"new " * 500


def naive(path, data):
    """Plant a bug: write under the name itself."""
    with path.open("wb") as file:
        file.write(data)


def remove_then_rename(path, data):
    """Plant a bug: for a moment nothing has the name."""
    part = path.with_suffix(".part")
    naive(part, data)
    path.unlink(missing_ok=True)
    os.replace(part, path)


def rename_then_flush(path, data):
    """Plant a bug: the name comes before the data are on the disk."""
    part = path.with_suffix(".part")
    naive(part, data)
    os.replace(part, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


class Injected(OSError):
    """Raised in place of a call to the operating system."""


class Calls:
    """Counts calls to the operating system by name; the k-th fails, a write half-way."""

    def __init__(self, monkeypatch, fail_at=None):
        self.names, self._fail_at = [], fail_at
        for name in ("fsync", "replace", "open", "close"):
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))
        opened = Path.open
        monkeypatch.setattr(Path, "open", lambda path, *how: self._open(opened, path, *how))

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
    def _open(self, opened, path, *how):
        self._count("create")
        with opened(path, *how) as file:
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


def outcomes(write, folder, monkeypatch):
    """What the name stands for after a failure at each call in turn, then after none."""
    found, failed, at = [], True, 0
    while failed:
        at += 1
        path = folder / str(at) / "file"
        path.parent.mkdir()
        path.write_bytes(OLD)
        with monkeypatch.context() as patch:
            calls = Calls(patch, at)
            with suppress(OSError):
                write(path, NEW)
        failed = len(calls.names) >= at
        found.append(path.read_bytes() if path.exists() else None)
    return found


def test_a_failure_at_any_call_leaves_the_old_or_the_new_file(tmp_path, monkeypatch):
    found = outcomes(write_whole, tmp_path, monkeypatch)
    assert len(found) > 6
    assert set(found) == {OLD, NEW}
    assert found[-1] == NEW
    leftovers = [path.name for path in tmp_path.glob("*/*") if path.name != "file"]
    assert leftovers == []


@pytest.mark.parametrize("write", [naive, remove_then_rename])
def test_a_bad_writer_is_caught_at_one_of_the_calls(write, tmp_path, monkeypatch):
    assert not set(outcomes(write, tmp_path, monkeypatch)) <= {OLD, NEW}


def test_a_failure_is_told(tmp_path, monkeypatch):
    Calls(monkeypatch, fail_at=2)
    with pytest.raises(RunError, match="file could not be written: injected"):
        write_whole(tmp_path / "file", NEW)


def in_order(names):
    wanted = ["write", "fsync file", "replace", "fsync folder"]
    return [name for name in names if name in wanted] == wanted


def test_data_reach_the_disk_before_the_name_and_the_name_after(tmp_path, monkeypatch):
    calls = Calls(monkeypatch)
    write_whole(tmp_path / "file", NEW)
    assert in_order(calls.names)


@pytest.mark.parametrize("write", [naive, remove_then_rename, rename_then_flush])
def test_another_order_is_caught(write, tmp_path, monkeypatch):
    calls = Calls(monkeypatch)
    write(tmp_path / "file", NEW)
    assert not in_order(calls.names)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from stst.run.atomic import write_whole

def naive(path, data):
    path.write_bytes(data)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    {write}(Path(sys.argv[1]), b"new " * 500)
except OSError as error:
    print(type(error).__name__, error)
"""


def on_a_full_disk(write, path):
    """Write in a process that may write 1000 bytes to a file; return what it says."""
    path.write_bytes(OLD)
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK.format(write=write), str(path)],
        capture_output=True,
        text=True,
        env=paths,
    )
    assert done.stderr == ""
    return done.stdout


def test_a_full_disk_keeps_the_old_file_and_is_told(tmp_path):
    said = on_a_full_disk("write_whole", tmp_path / "file")
    assert said.startswith("RunError")
    assert os.strerror(errno.EFBIG) in said
    assert (tmp_path / "file").read_bytes() == OLD
    assert len(list(tmp_path.iterdir())) == 1


def test_a_naive_writer_is_caught_by_the_full_disk(tmp_path):
    on_a_full_disk("naive", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() not in (OLD, NEW)


@given(data=st.binary(max_size=200) | st.text(max_size=200))
def test_what_is_written_is_what_is_read(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "file"
    write_whole(path, data)
    assert path.read_bytes() == (data.encode() if isinstance(data, str) else data)


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(RunError, match="could not be written"):
        write_whole(tmp_path / "none" / "file", NEW)


@pytest.mark.parametrize("make", [refuse_folder, new_folder])
@pytest.mark.parametrize("below", [".", "run", "deep/run"])
def test_a_file_in_place_of_the_folder_or_above_it_is_refused(make, below, tmp_path):
    # Not by permissions: the tests may run as root, whom none stops.
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(RunError, match=r"file is not a folder.* --out"):
        make(tmp_path / "file" / below, overwrite=True)


def test_a_folder_in_use_is_refused_unless_told_otherwise(tmp_path):
    (tmp_path / "file").write_bytes(OLD)
    for make in (refuse_folder, new_folder):
        with pytest.raises(RunError, match="--overwrite"):
            make(tmp_path, overwrite=False)
        make(tmp_path, overwrite=True)
    assert (tmp_path / "file").read_bytes() == OLD


def test_refusing_makes_nothing_and_making_makes_all_of_it(tmp_path):
    folder = tmp_path / "deep" / "run"
    refuse_folder(folder, overwrite=False)
    assert not (tmp_path / "deep").exists()
    new_folder(folder, overwrite=False)
    assert list(folder.iterdir()) == []
    new_folder(folder, overwrite=False)  # an empty one may be used
