"""One item in a worker: nothing is raised, and reasons that may pass are told from others."""

import shutil
import threading

import pytest
from terminal import bytes_of, manifest_of

from stst.batch import make_item as module
from stst.batch.items import WorkItem
from stst.batch.make_item import Outcome, make_item
from stst.errors import RunError
from stst.storage.atomic import UNFINISHED, locked
from stst.storage.config import Source, StimulusConfig, SynthesisConfig, read_config
from stst.workflows.process import Stopping


@pytest.fixture
def item(film):
    """A clip to be cut."""
    config = StimulusConfig(kind="natural", source=Source(path=str(film), frames=2))
    return WorkItem("waves", "natural", "waves", config)


def in_a_thread(item, out):
    """As a worker of Dask does it."""
    found = []
    thread = threading.Thread(target=lambda: found.append(make_item(item, out=out)))
    thread.start()
    thread.join()
    return found[0]


def raising(error, cause=None):
    def run_trim(*_, **__):
        raise error from cause

    return run_trim


def test_an_item_is_made_and_then_there(item, tmp_path, capsys):
    assert in_a_thread(item, tmp_path) == Outcome("made")
    assert manifest_of(tmp_path / "waves")["source"]["frames"] == 2
    assert capsys.readouterr() == ("", "")


def test_what_is_left_of_a_run_whose_worker_died_at_its_very_end_is_removed(run, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(run[0], folder)
    (folder / UNFINISHED).mkdir()
    (folder / UNFINISHED / "recipe.yaml").write_text("left")
    item = WorkItem(
        "out", "metamer", "waves", SynthesisConfig.parse(read_config(folder / "recipe.yaml"))
    )
    assert in_a_thread(item, tmp_path) == Outcome("there")
    assert bytes_of(folder) == bytes_of(run[0])


@pytest.mark.parametrize(
    ("error", "cause", "transient"),
    [
        (RunError("bad input"), None, False),
        (RunError("could not be written"), OSError("disk"), True),
        (RunError("out of memory"), MemoryError(), True),
        (OSError("stale file handle"), None, True),
        (ZeroDivisionError("a bug"), None, False),
    ],
)
def test_reasons_that_may_pass_are_told_from_others(
    item, tmp_path, monkeypatch, error, cause, transient
):
    monkeypatch.setattr(module, "run_trim", raising(error, cause))
    found = in_a_thread(item, tmp_path)
    assert (found.state, found.transient) == ("failed", transient)
    assert str(error) in found.reason


def test_a_lock_that_is_held_is_waited_for(item, tmp_path, monkeypatch):
    (tmp_path / "waves").mkdir()
    with locked(tmp_path / "waves"):
        monkeypatch.setattr(module, "PATIENCE", 0)
        assert "in use by process" in in_a_thread(item, tmp_path).reason
        monkeypatch.setattr(module, "PATIENCE", 30)
        waiting = threading.Timer(0, lambda: found.append(make_item(item, out=tmp_path)))
        found = []
        waiting.start()
        waiting.join(0.7)
        assert found == []
    waiting.join()
    assert found == [Outcome("made")]


def test_nothing_is_begun_once_workers_were_asked_to_stop(item, tmp_path):
    Stopping.ask(15)
    try:
        assert in_a_thread(item, tmp_path) == Outcome("stopped")
    finally:
        Stopping.ask(0)
    assert not (tmp_path / "waves").exists()
