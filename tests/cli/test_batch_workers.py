"""`stst batch` with processes of its own: workers killed in mid-item, Ctrl-C, a bad worker.

Slow: a scheduler and its workers are begun as separate processes on loopback.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest
import yaml
from terminal import refused, stst_command, waves

from stst.storage.atomic import UNFINISHED
from stst.video.write import write_video

pytestmark = pytest.mark.slow

FRAMES = 6
PLAN = {
    "schema": 1,
    "clips": "*.webm",
    "cut": {"width": 40, "frames": FRAMES},
    "streams": {"spatial": "compact"},
    "recipes": {
        "quick": {
            "settings": {"octaves": [{"steps": 8}], "pad": 1, "stop": None, "start.blend": 0.9}
        }
    },
    "seeds": [0, 1],
    "threads": 1,
}
MADE = {"natural/waves", *(f"metamer/quick/waves/seed_{seed}" for seed in PLAN["seeds"])}
PLANTED = """
import os
from stst.synthesis import starts
if not hasattr(starts, "plain"):  # Dask loads this twice
    starts.plain = starts.noise
    starts.noise = lambda seed, index, shape: starts.plain(seed + os.getpid(), index, shape)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    write_video(waves(FRAMES), folder / "waves.webm")
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    (folder / "planted.py").write_text(PLANTED)
    return folder


@contextmanager
def cluster(folder, preload="stst.batch.worker"):
    """A scheduler and two workers, each a process: the scheduler's address."""
    told, common = folder / "scheduler.json", ("--host", "127.0.0.1", "--no-dashboard")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    module = (sys.executable, "-m")
    started = [
        subprocess.Popen(
            [
                *(*module, "distributed.cli.dask_scheduler", "--port", "0", *common),
                *("--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(told)),
            ],
            **quiet,
        )
    ]
    worker = [*module, "distributed.cli.dask_worker", "--scheduler-file", str(told), *common]
    worker += ["--nthreads", "1", "--memory-limit", "0", "--preload", str(preload)]
    started += [subprocess.Popen(worker, cwd=folder, **quiet) for _ in range(2)]
    try:
        written = until(lambda: told.exists() and told.read_text())  # not there whole at once
        yield json.loads(written)["address"]
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def until(true, seconds=120):
    """Wait for what a call gives, and give it."""
    give_up = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return found


def begun(base, out, *words):
    """The command as a process, whose group Ctrl-C of a terminal would reach."""
    call = [sys.executable, "-c", "from stst.cli.main import main; main()", "batch"]
    call += [str(base / "plan.yaml"), "--out", str(out), *words]
    return subprocess.Popen(call, stdout=subprocess.PIPE, text=True, start_new_session=True)


def finished(process):
    said, _ = process.communicate(timeout=240)
    return process.returncode, said


@pytest.fixture(scope="module")
def quiet(base, tmp_path_factory):
    """The files of a set that was let be."""
    out = tmp_path_factory.mktemp("quiet") / "out"
    code, said = finished(begun(base, out, "--workers", "1"))
    assert code == 0, said
    return files(out)


def files(out):
    """What a set has left, but for how long it took and what was said."""
    found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    for name in [name for name in found if name.endswith("manifest.json")]:
        manifest = json.loads(found[name])
        del manifest["seconds"]
        found[name] = json.dumps(manifest).encode()
    for name in [n for n in found if n.startswith("logs/") or n.endswith("recipe.yaml")]:
        del found[name]  # recipes hold the path of the set
    del found["summary.csv"]
    return found


def under_way(out):
    """An item with two frames on disk, and the worker that makes it: (folder, number)."""
    for frame in out.glob(f"metamer/*/*/*/{UNFINISHED}/000001.safetensors"):
        folder = frame.parents[1]
        if number := holder(folder):
            return folder, number
    return None


def holder(folder):
    try:
        found = re.match(r"\d+", (folder / "run.lock").read_text())
    except OSError:
        return None
    number = found and int(found[0])
    return number if number and psutil.pid_exists(number) else None


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def frame_time(folder):
    try:
        return (folder / UNFINISHED / "000000.safetensors").stat().st_mtime_ns
    except OSError:
        return None


def test_workers_killed_in_mid_item_leave_no_trace(base, quiet, tmp_path):
    out = tmp_path / "out"
    with cluster(tmp_path) as address:
        out.mkdir()
        process = begun(base, out, "--scheduler", address)
        for _ in range(3):
            folder, number = until(lambda: under_way(out))
            before = frame_time(folder)
            os.kill(number, signal.SIGKILL)
            until(lambda at=folder, last=number: holder(at) not in (None, last))
            assert frame_time(folder) == before  # it went on from its frames
        code, said = finished(process)
    assert code == 0, said
    # "there": a worker was killed after it had made an item and before that was heard of.
    ended = re.findall(r"^\d+/\d+ (\S+): (?:made|there)", said, re.MULTILINE)
    assert sorted(ended) == sorted(MADE)
    logs = [log.read_text() for log in (out / "logs").iterdir()]
    assert max(log.count("Written to") for log in logs) == 1  # none was made twice
    assert files(out) == quiet


def test_noise_that_depends_on_the_worker_is_caught(base, quiet, tmp_path):
    out = tmp_path / "out"
    with cluster(tmp_path, base / "planted.py") as address:
        out.mkdir()
        code, said = finished(begun(base, out, "--scheduler", address))
    assert code == 0, said
    assert files(out) != quiet


def test_ctrl_c_ends_workers_and_the_same_command_goes_on(base, quiet, tmp_path):
    process = begun(base, tmp_path, "--workers", "1")
    folder, _ = until(lambda: under_way(tmp_path))
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    heard = [one for each in family for one in each.net_connections() if one.status == "LISTEN"]
    assert {one.laddr.ip for one in heard} == {"127.0.0.1"}
    os.killpg(process.pid, signal.SIGINT)
    code, said = finished(process)
    assert code == 130, said
    until(lambda: not any(map(alive, family)), 20)
    before = frame_time(folder)
    assert before is not None
    process = begun(base, tmp_path, "--workers", "1")
    until(lambda: holder(folder))
    assert frame_time(folder) == before
    code, said = finished(process)
    assert code == 0, said
    assert files(tmp_path) == quiet


def test_a_scheduler_that_does_not_answer_is_told(base, tmp_path):
    words = ("batch", base / "plan.yaml", "--out", tmp_path, "--scheduler", "tcp://127.0.0.1:9")
    assert refused(stst_command(*words), "no Dask scheduler can be reached at tcp://127.0.0.1:9")
