"""Machines of other people: no home, no temporary folder, busy cores, jobs with few of them."""

import os
import subprocess
import sys

import pytest
import torch
from terminal import manifest_of, refused, stst_command

from stst.cli.main import Deferred
from stst.models import weights
from stst.synthesis import threads
from stst.workflows import prednet

GRATING = ("drifting-grating", "--frames", 3, "--width", 16, "--height", 16)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_command_runs_without_a_home_and_says_nothing_of_it(tmp_path):
    (tmp_path / "file").touch()
    home = {**os.environ, "HOME": str(tmp_path / "file" / "home"), "TMPDIR": str(tmp_path)}
    home |= {"XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": "", "MPLCONFIGDIR": ""}
    words = ["stimulus", *map(str, GRATING), "--out", str(tmp_path / "out")]
    code = f"import sys; from stst.cli.main import main; sys.argv[1:] = {words}; main()"
    run = subprocess.run([sys.executable, "-c", code], env=home, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert "atplotlib" not in run.stdout
    # What is to be silent speaks: the planted bug.
    command = [sys.executable, "-c", "import matplotlib"]
    loud = subprocess.run(command, env=home, capture_output=True, text=True)
    assert "Matplotlib created a temporary cache directory" in loud.stderr


def test_lines_of_progress_are_in_a_pipe_at_once():
    code = """
import time
from stst.cli import show
show.EVERY = 0
with show.bar("frames", 9) as update:
    update("frames", 3, 9)
    time.sleep(600)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("frames: 33 %")
        process.kill()


def test_an_error_of_a_library_about_the_machine_is_one_line(monkeypatch):
    def fails(_):
        raise OSError("Matplotlib needs a folder; set MPLCONFIGDIR")

    monkeypatch.setattr(Deferred, "load", fails)
    assert refused(stst_command("doctor"), "set MPLCONFIGDIR")


def test_a_folder_of_weights_below_a_file_is_found_missing(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STST_WEIGHTS", str(tmp_path / "file" / "cache"))
    said = stst_command("doctor")
    assert said.code == 1
    assert (
        f"MISSING weights folder {tmp_path / 'file' / 'cache'}; not writable: set STST_WEIGHTS"
        in said.out
    )


def test_nobodys_home_is_no_folder_for_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STST_WEIGHTS", raising=False)
    monkeypatch.setenv("STST_OFFLINE", "0")
    monkeypatch.setattr(weights.platformdirs, "user_cache_dir", lambda _: "~/.cache/stst")
    said = stst_command("weights", "fetch", "vgg19")
    assert refused(said, "no home folder", "STST_WEIGHTS")
    assert list(tmp_path.iterdir()) == []


def test_the_number_of_threads_is_chosen_told_and_written_down(two_threads, tmp_path):
    said = stst_command("stimulus", *GRATING, "--out", tmp_path / "a")
    assert said.out.startswith(f"{torch.get_num_threads()} thread")
    said = stst_command("stimulus", *GRATING, "--out", tmp_path / "b", "--threads", 1)
    assert said.out.startswith("1 thread (--threads).\n")
    assert manifest_of(tmp_path / "b")["environment"]["threads"] == 1
    assert stst_command("stimulus", *GRATING, "--threads", 0).code == 2


@pytest.mark.parametrize(
    ("variables", "number", "reason"),
    [
        ({}, 2, "all cores"),
        ({"SLURM_CPUS_PER_TASK": "1"}, 1, "SLURM_CPUS_PER_TASK"),
        ({"SLURM_CPUS_PER_TASK": "64"}, 2, "all cores"),
        ({"SLURM_CPUS_PER_TASK": "many"}, 2, "all cores"),
    ],
)
def test_a_job_has_no_more_threads_than_it_was_given(variables, number, reason, monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("dask.system.CPU_COUNT", 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert threads.allowed_cores() == (number, reason)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)  # of which a container may use two
    assert threads.allowed_cores()[1] in ("SLURM_CPUS_PER_TASK", "the cores of this process")


@pytest.fixture
def busy(monkeypatch, two_threads):
    """``busy(load, ratio)``: two cores, on which two threads take `ratio` of the time of one."""

    def set_up(load, ratio):
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0), raising=False)
        monkeypatch.setattr(threads, "_pass_time", lambda number: 1.0 if number == 1 else ratio)

    return set_up


@pytest.mark.parametrize(
    ("load", "ratio", "told"),
    [(0.1, 85.0, ""), (8.4, 0.6, ""), (8.4, 85.0, "2 threads take 85 times as long as one")],
)
def test_a_busy_machine_is_measured_and_told(busy, load, ratio, told):
    busy(load, ratio)
    assert told in threads.busy_remark()
    assert bool(threads.busy_remark()) == bool(told)


def test_a_user_of_python_is_warned_once_where_threads_spin(busy, monkeypatch, logged):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    busy(8.4, 85.0)
    threads.warn_if_busy.cache_clear()
    threads.warn_if_busy()
    threads.warn_if_busy()
    assert ["OMP_WAIT_POLICY=PASSIVE" in text for text in logged] == [True]
    threads.warn_if_busy.cache_clear()
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    threads.warn_if_busy()
    assert len(logged) == 1


def test_what_is_measured_is_a_time_and_leaves_threads_alone(two_threads, globals_unchanged):
    assert 0 < threads._pass_time(1) < 60


def test_a_training_leaves_the_callers_threads_alone(two_threads, monkeypatch):
    monkeypatch.setattr(prednet, "_train_all", lambda *_: torch.get_num_threads())
    assert prednet._train(None, None, None, None) == 1
    assert torch.get_num_threads() == 2
