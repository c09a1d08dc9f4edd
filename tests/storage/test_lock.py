"""One process at a time in a run's folder, and none that is dead."""

import fcntl
import os
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
        assert (tmp_path / "run.lock").read_text().startswith(f"process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_not_held_is_caught(holder, tmp_path, monkeypatch):
    """The planted bug that the test above must catch."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        test_a_second_process_is_refused_and_told_of_the_first(holder, tmp_path)
    assert holder.poll() is None


def test_a_file_that_was_removed_meanwhile_guards_nothing(tmp_path, monkeypatch):
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
