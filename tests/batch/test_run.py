"""Items given to a cluster: few at a time, again where it helps, ended when asked to."""

import threading
import time
from contextlib import closing

import pytest
from distributed import Client

from stst.batch.items import WorkItem
from stst.batch.make_item import Outcome
from stst.batch.run import WINDOW, run_items
from stst.storage.config import StimulusConfig


@pytest.fixture(scope="module")
def client():
    """Two workers in this process, so that they share its memory with the tests."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with Client(**options, dashboard_address="127.0.0.1:0") as client:
        yield client


def items(count):
    config = StimulusConfig(kind="static")
    return [WorkItem(str(index), "static", "clip", config) for index in range(count)]


def run(client, todo, make, **more):
    return list(run_items(client, todo, make, list, **more))


MADE: list[str] = []
ASKED = threading.Event()


@pytest.fixture(autouse=True)
def afresh():
    MADE.clear()
    ASKED.clear()


def done(item):
    """Makers are taken from this module by name, so that they share its lists."""
    MADE.append(item.name)
    return Outcome("made")


def test_each_item_is_made_once_and_told(client):
    ended = run(client, items(20), done)
    assert sorted(MADE) == sorted(one.item.name for one in ended)
    assert len(set(MADE)) == len(MADE) == 20
    assert {(one.outcome.state, one.tries) for one in ended} == {("made", 1)}


class Counted:
    """Items that note how many were taken."""

    def __init__(self, todo):
        self.todo, self.taken = iter(todo), 0

    def __iter__(self):
        return self

    def __next__(self):
        self.taken += 1
        return next(self.todo)


def test_at_most_a_window_of_ten_thousand_items_is_with_the_cluster(client):
    todo, most = Counted(items(10_000)), 0
    with closing(run_items(client, todo, done, list)) as run:
        for ended, _ in enumerate(run, 1):
            most = max(most, todo.taken - ended)
            if ended == 200:
                break
    assert most == 2 * WINDOW - 1  # one has just ended
    assert len(MADE) <= 200 + 2 * WINDOW


def fails(item):
    MADE.append(item.name)
    if item.name == "0":
        return Outcome("failed", "bad input")
    passes = item.name == "2" and MADE.count("2") == 3
    return Outcome("made") if passes else Outcome("failed", "disk", transient=True)


def test_a_reason_that_may_pass_is_tried_again_and_no_other(client):
    ended = run(client, items(3), fails, retries=2)
    found = {one.item.name: (one.outcome.state, one.tries) for one in ended}
    assert found == {"0": ("failed", 1), "1": ("failed", 3), "2": ("made", 3)}


def raises(item):
    if item.name == "1":
        raise ZeroDivisionError("a bug")
    return Outcome("made")


def test_what_a_maker_raises_loses_no_other_item(client):
    found = {one.item.name: one.outcome for one in run(client, items(3), raises)}
    assert found["1"].reason == "ZeroDivisionError: a bug"
    assert [found[name].state for name in "02"] == ["made", "made"]


def waits(item):
    ASKED.wait(0 if item.name == "0" else 30)
    return done(item)


def stop():
    ASKED.set()


def test_items_that_are_under_way_are_ended_and_waited_for(client):
    with closing(run_items(client, items(50), waits, stop)) as run:
        next(run)
        assert MADE == ["0"]
    ended = len(MADE)
    assert 1 < ended <= 2 * WINDOW + 1
    time.sleep(0.2)
    assert len(MADE) == ended
