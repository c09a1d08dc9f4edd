"""The installed command, as a process of its own."""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from terminal import FILES, manifest_of

from stst.video.read import read_video

COMMAND = Path(sys.executable).with_name("stst")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not COMMAND.exists(), reason="needs the installed command: pip install ."),
]


def test_the_demo_runs_offline_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STST_OFFLINE", "1")
    monkeypatch.setenv("STST_WEIGHTS", str(tmp_path / "none"))
    done = subprocess.run([COMMAND, "demo"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "stst-demo"
    assert {path.name for path in folder.iterdir()} >= FILES
    natural = read_video(folder / "natural.webm")
    assert read_video(folder / "metamer.webm").frames.shape == natural.frames.shape
    assert manifest_of(folder)["outcome"] == "complete"
    assert not (tmp_path / "none").exists()


def test_ctrl_c_stops_a_run_with_130(film, tmp_path):
    command = [COMMAND, "synthesize", film, "--out", tmp_path / "out", "--spatial", "compact"]
    settings = ["--set", 'octaves=[{"steps": 100000}]', "--set", "pad=1"]
    # A shell without job control starts its background jobs deaf to Ctrl-C.
    hearing = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *settings], **pipes, text=True, preexec_fn=hearing) as run:
        try:
            while "Expected" not in run.stdout.readline():
                assert run.poll() is None
            run.send_signal(signal.SIGINT)
            _, said = run.communicate(timeout=60)
        finally:
            run.kill()  # one that did not stop must not be waited for
    assert run.returncode == 130
    assert said.startswith("stst: stopped")
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out" / "manifest.json").exists()
