"""Requests wait, run, pause, go on and fail; the list outlives the studio."""

import json
import os
import signal
import time

import pytest

import stst
from stst.errors import RunError
from stst.studio.queue import Queue, Status
from stst.video.files import digest

LIMIT = 240  # s


@pytest.fixture
def queue(tmp_path):
    queue = Queue(tmp_path / "requests")
    yield queue
    queue.close()


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "natural.webm"
    clip = stst.make_stimulus("motion-cloud", frames=4, width=64, height=48).clip
    stst.write_video(clip, path)
    return path


def quick(film, steps=2):
    words = (
        "synthesize",
        str(film),
        "--spatial",
        "compact",
        "--set",
        "pad=1",
        "--set",
        "stop=null",
    )
    return (*words, "--set", f'octaves=[{{"steps": {steps}}}]')


def until(queue, number, *wanted, and_also=lambda: True):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        queue.step()
        if queue.requests[number].status in wanted and and_also():
            return queue.requests[number]
        time.sleep(0.05)
    pytest.fail(f"{queue.requests[number]} after {LIMIT} s: {queue.printed(number)}")


def worker_of(queue):
    return queue._process.pid


@pytest.mark.slow
def test_a_run_that_is_paused_killed_and_whose_studio_ends_equals_one_that_is_not(
    queue, film, tmp_path
):
    whole = queue.add(quick(film, 40), tmp_path / "whole")
    until(queue, whole.number, Status.FINISHED)
    broken = queue.add(quick(film, 40), tmp_path / "broken")

    def frames():
        return len(list((broken.out / "unfinished").glob("0*")))

    until(queue, broken.number, Status.RUNNING, and_also=lambda: frames() > 0)
    queue.pause(broken.number)
    until(queue, broken.number, Status.PAUSED)
    queue.go_on(broken.number)
    before = frames()
    until(queue, broken.number, Status.RUNNING, and_also=lambda: frames() > before)
    os.kill(worker_of(queue), signal.SIGKILL)
    assert "signal 9" in until(queue, broken.number, Status.INTERRUPTED).text
    queue.go_on(broken.number)
    until(queue, broken.number, Status.RUNNING)
    queue.close()
    again = Queue(queue.folder)  # of the next studio
    assert again.requests[broken.number].status is Status.PAUSED
    again.go_on(broken.number)
    until(again, broken.number, Status.FINISHED)
    films = [digest(request.out / "metamer.webm") for request in (whole, broken)]
    assert films[0] == films[1]
    progress = again.progress(whole.number)
    assert progress.share == 1
    assert "embedded stand-in" in progress.notes[0]
    assert {"total", "space_texture"} <= set(progress.losses)
    assert progress.residuals
    assert (queue.records(whole.number) / "preview.png").exists()


@pytest.mark.slow
def test_a_mistake_is_told_in_the_words_of_the_command_and_the_queue_goes_on(queue, film, tmp_path):
    wrong = queue.add((*quick(film), "--set", "padd=3"), tmp_path / "wrong")
    right = queue.add(("stimulus", "drifting-grating", "--frames", "4"), tmp_path / "right")
    assert "padd" in until(queue, wrong.number, Status.FAILED).text
    assert "Traceback" not in queue.printed(wrong.number)
    until(queue, right.number, Status.FINISHED)
    assert stst.load_run(right.out).kind == "stimulus"


@pytest.mark.slow
def test_a_cancelled_run_leaves_no_folder(queue, film, tmp_path):
    request = queue.add(quick(film, 400), tmp_path / "run")
    until(queue, request.number, Status.RUNNING, and_also=request.out.exists)
    queue.cancel(request.number)
    until(queue, request.number, Status.CANCELLED)
    assert not request.out.exists()


def test_what_waits_can_be_kept_back_and_what_is_there_is_never_replaced(queue, tmp_path):
    first = queue.add(("stimulus", "drifting-grating"), tmp_path / "grating")
    queue.pause(first.number)
    queue.step()
    assert queue.requests[first.number].status is Status.PAUSED
    with pytest.raises(RunError, match="grating exists already"):
        queue.add(("stimulus", "drifting-grating"), tmp_path / "grating")
    (tmp_path / "grating").mkdir()
    (tmp_path / "grating" / "manifest.json").write_text("{}")
    queue.cancel(first.number)
    assert (tmp_path / "grating" / "manifest.json").exists()  # finished results stay
    with pytest.raises(RunError, match="exists already"):
        queue.add(("stimulus", "drifting-grating"), tmp_path / "grating")
    seeds = queue.add(("synthesize", "a.webm", "--seeds", "2"), tmp_path / "seeds")
    (tmp_path / "seeds" / "seed_0").mkdir(parents=True)
    (tmp_path / "seeds" / "seed_0" / "manifest.json").write_text("{}")
    queue.cancel(seeds.number)
    assert (tmp_path / "seeds" / "seed_0" / "manifest.json").exists()  # those of one seed, too
    queue.forget(seeds.number)
    queue.forget(first.number)
    assert not queue.requests


def test_the_list_is_read_back_and_what_ran_is_interrupted(queue, tmp_path):
    request = queue.add(("stimulus", "drifting-grating", "--frames", "4"), tmp_path / "a b")
    assert request.command.endswith(f"--out '{tmp_path}/a b'")
    path = queue.records(request.number) / "request.json"
    path.write_text(path.read_text().replace('"waiting"', '"running"'))
    (queue.folder / "0007").mkdir()
    (queue.folder / "0007" / "request.json").write_text("{")  # damaged: left out
    again = Queue(queue.folder)
    assert again.requests[request.number].status is Status.INTERRUPTED
    assert list(again.requests) == [request.number]
    assert json.loads(path.read_text())["status"] == "interrupted"


def _full(*_):
    raise RunError("request.json could not be written: No space left on device.")


def test_a_disk_that_is_full_is_told_and_the_list_is_unchanged(queue, tmp_path, monkeypatch):
    monkeypatch.setattr("stst.studio.queue.write_whole", _full)
    with pytest.raises(RunError, match="No space left"):
        queue.add(("stimulus", "drifting-grating"), tmp_path / "grating")
    assert not queue.requests


def test_on_a_full_disk_the_queue_goes_on_and_its_records_are_written_later(
    queue, tmp_path, monkeypatch
):
    request = queue.add(("stimulus", "plaid", "--frames", "2"), tmp_path / "plaid")
    path = queue.records(request.number) / "request.json"
    with monkeypatch.context() as full:
        full.setattr("stst.studio.queue.write_whole", _full)
        until(queue, request.number, Status.FINISHED)
        assert json.loads(path.read_text())["status"] == "waiting"
    queue.step()
    assert json.loads(path.read_text())["status"] == "finished"
    path.write_text(path.read_text().replace('"finished"', '"running"'))  # as after a crash
    assert Queue(queue.folder).requests[request.number].status is Status.FINISHED
