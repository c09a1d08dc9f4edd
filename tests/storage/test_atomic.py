"""Files are whole or not there, whatever fails; each fault is shown to catch a bad writer."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
from contextlib import nullcontext, suppress
from types import SimpleNamespace

import pytest
from failing import Calls, naive
from hypothesis import given
from hypothesis import strategies as st

from stst.errors import RunError
from stst.storage import atomic
from stst.storage.atomic import clear_parts, new_folder, refuse_folder, refuse_full, write_whole

OLD, NEW = b"old " * 300, b"new " * 500


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


def by_way_of_tmp(path, data):
    """Plant a bug: the temporary file is wherever temporary files are."""
    with tempfile.NamedTemporaryFile(delete=False) as part:
        part.write(data)
    os.replace(part.name, path)


def a_disk_for_each_folder(monkeypatch):
    """Refuse a rename between two folders, as the system does between two disks."""
    replace = os.replace

    def refusing(source, target):
        if os.path.dirname(source) != os.path.dirname(target):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source, None, target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", refusing)


def test_a_file_is_never_renamed_from_another_disk(tmp_path, monkeypatch):
    a_disk_for_each_folder(monkeypatch)
    write_whole(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path.parent))
    with pytest.raises(OSError, match="cross-device"):
        by_way_of_tmp(tmp_path / "file", OLD)


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
from stst.storage.atomic import write_whole

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


def test_a_disk_that_gives_back_something_else_is_found_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(OLD)

    def loses_a_byte(handle):
        os.ftruncate(handle, os.fstat(handle).st_size - 1)

    monkeypatch.setattr(atomic.os, "fsync", loses_a_byte)
    with pytest.raises(RunError, match="returned other data"):
        write_whole(tmp_path / "file", NEW)
    naive(tmp_path / "naive", NEW)  # who does not look does not know
    assert (tmp_path / "file").read_bytes() == OLD


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    left = [tmp_path / ".a.webm.12.part", tmp_path / "seed_1" / ".state.0.3.part"]
    kept = [tmp_path / "a.1.part", tmp_path / ".mine.part", tmp_path / "seed_1" / "a.webm"]
    (tmp_path / "seed_1").mkdir()
    for path in (*left, *kept):
        path.touch()
    clear_parts(tmp_path)
    assert [path.exists() for path in (*left, *kept)] == [False, False, True, True, True]


def test_a_disk_without_room_is_refused_early_with_both_numbers(tmp_path, monkeypatch):
    asked = []

    def disk_usage(path):
        asked.append(path)
        return SimpleNamespace(free=3_000_000_000)

    monkeypatch.setattr(atomic.shutil, "disk_usage", disk_usage)
    refuse_full(tmp_path / "deep" / "run", 3_000_000_000)
    with pytest.raises(RunError, match=r"4 GB .* 3 GB free"):
        refuse_full(tmp_path / "deep" / "run", 4_000_000_000)
    assert asked == [tmp_path, tmp_path]


def test_a_folder_with_a_stopped_run_is_refused_with_the_way_on(tmp_path):
    (tmp_path / atomic.UNFINISHED).mkdir()
    with pytest.raises(RunError, match=f"stst resume {tmp_path}"):
        refuse_folder(tmp_path, overwrite=False)


@pytest.mark.parametrize("name", ["EINVAL", "ENOTSUP", "EIO"])
def test_a_disk_that_flushes_no_folders_is_used_and_one_that_fails_is_not(
    name, tmp_path, monkeypatch
):
    number, flush = getattr(errno, name), os.fsync

    def fails_for_folders(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        flush(handle)

    monkeypatch.setattr(atomic.os, "fsync", fails_for_folders)
    with pytest.raises(RunError) if name == "EIO" else nullcontext():
        write_whole(tmp_path / "a", "data")
    assert (tmp_path / "a").read_text() == "data"


def test_folders_are_not_opened_where_the_system_opens_none(tmp_path, monkeypatch):
    def denied(path, *_):
        raise PermissionError(f"{path} is a folder")

    monkeypatch.setattr(atomic.os, "open", denied)
    with pytest.raises(RunError):  # the planted system
        write_whole(tmp_path / "a", "data")
    monkeypatch.setattr(atomic.os, "name", "nt")
    atomic.flush_folder(tmp_path)
