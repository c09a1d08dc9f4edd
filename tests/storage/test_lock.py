"""One process at a time in a run's folder, and none that is dead."""

import errno
import os
import platform
import signal
import subprocess
import sys

import pytest

from stst.errors import RunError
from stst.storage.atomic import locked

HOLDING = """
import sys, time
from pathlib import Path
from stst.storage.atomic import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of the folder."""
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_of_the_first(holder, tmp_path):
    with pytest.raises(RunError, match=f"in use by process {holder.pid} on "), locked(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):  # the kernel let go of it
        held = f"{os.getpid()}\n{platform.node()}\n"
        assert (tmp_path / "run.lock").read_text().startswith(held)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_not_held_is_caught(holder, tmp_path, monkeypatch):
    """The planted bug that the test above must catch."""
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        test_a_second_process_is_refused_and_told_of_the_first(holder, tmp_path)
    assert holder.poll() is None


def test_a_file_that_was_removed_meanwhile_guards_nothing(tmp_path, monkeypatch):
    import fcntl

    path, held = tmp_path / "run.lock", fcntl.flock

    def removed_at_first(handle, how):
        held(handle, how)
        monkeypatch.setattr(fcntl, "flock", held)
        path.unlink()

    monkeypatch.setattr(fcntl, "flock", removed_at_first)
    with locked(tmp_path):
        assert path.exists()
        with pytest.raises(RunError, match="in use"), locked(tmp_path):
            pass


def test_a_lock_is_let_go_of_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_locked_is_told(tmp_path):
    with pytest.raises(RunError, match=r"run\.lock cannot be locked"), locked(tmp_path / "none"):
        pass


def without_locks(number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    return flock


@pytest.mark.parametrize("name", ["ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"])
def test_a_disk_without_locks_is_told_with_the_way_on(name, tmp_path, monkeypatch):
    monkeypatch.setattr("fcntl.flock", without_locks(getattr(errno, name)))
    with pytest.raises(RunError, match="STST_LOCKS=file") as refused, locked(tmp_path):
        pass
    assert os.strerror(getattr(errno, name)) in str(refused.value)
    assert "--out" in str(refused.value)
    monkeypatch.setenv("STST_LOCKS", "file")
    with (
        locked(tmp_path),
        pytest.raises(RunError, match=rf"in use by process {os.getpid()} on .*remove .*run\.lock"),
        locked(tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_another_failure_of_a_lock_does_not_speak_of_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("fcntl.flock", without_locks(errno.EIO))
    with (
        pytest.raises(RunError, match=r"cannot be locked: Input/output error\.$"),
        locked(tmp_path),
    ):
        pass


def test_a_lock_by_a_file_is_one_process_at_a_time_and_outlives_none(monkeypatch, tmp_path):
    monkeypatch.setenv("STST_LOCKS", "file")
    monkeypatch.setattr("fcntl.flock", without_locks(errno.ENOLCK))
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"in use by process {holder.pid} on "), locked(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with locked(tmp_path):  # a dead process of this machine is known to be dead
            pass
    (tmp_path / "run.lock").write_text("1\nanother-machine\n")
    with pytest.raises(RunError, match="process 1 on another-machine"), locked(tmp_path):
        pass


def test_a_lock_whose_file_cannot_be_written_to_is_held_all_the_same(tmp_path, monkeypatch):
    """As on Windows, where a locked file takes and gives nothing."""

    def denied(*_, **__):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.write_text", denied)
    monkeypatch.setattr("pathlib.Path.read_text", denied)
    with (
        locked(tmp_path),
        pytest.raises(RunError, match=r"in use by another process\."),
        locked(tmp_path),
    ):
        pass
