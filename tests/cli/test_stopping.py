"""The first signal waits for the step under way; the second does not."""

import os
import signal
import subprocess
import sys

import pytest

from stst.workflows.process import SIGNALS, Stopped, Stopping


def steps(stopping, number, at, seen):
    """Ten events, with a signal during one of them."""
    for event in stopping.until(range(10)):
        seen.append(event)
        if event == at:
            signal.raise_signal(number)


def obeyed(stopping, number):
    """A signal beside events."""
    with stopping:
        signal.raise_signal(number)
        pytest.fail("it went on")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("at", [0, 4, 9])
def test_the_event_under_way_is_the_last(number, code, at):
    before, seen = [signal.getsignal(each) for each in SIGNALS], []
    with pytest.raises(Stopped, match="go on") as caught, Stopping("go on") as stopping:
        steps(stopping, number, at, seen)
    assert caught.value.code == code
    assert seen == list(range(at + 1))
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_loop_that_does_not_ask_goes_on():
    """The planted bug that the test above must catch."""
    stopping = Stopping("go on")
    stopping._stepping = True
    with stopping:
        seen = []
        for event in range(10):
            seen.append(event)
            if event == 4:
                signal.raise_signal(signal.SIGTERM)
    assert seen == list(range(10))


@pytest.mark.parametrize("number", SIGNALS)
def test_beside_events_a_signal_is_obeyed_at_once(number):
    with pytest.raises(Stopped):
        obeyed(Stopping("go on"), number)


TWICE = """
import signal, sys
from stst.workflows.process import Stopping
first, second = (signal.Signals[name] for name in sys.argv[1:])
with Stopping("go on") as stopping:
    for _ in stopping.until([1]):
        signal.raise_signal(first)
        print("a step goes on", flush=True)
        signal.raise_signal(second)
        print("and on")
"""


ALIKE = [pytest.param(name, name, marks=pytest.mark.slow) for name in ("SIGINT", "SIGTERM")]


@pytest.mark.parametrize(
    ("first", "second"), [("SIGINT", "SIGTERM"), ("SIGTERM", "SIGINT"), *ALIKE]
)
def test_the_second_ends_the_process_within_the_step(first, second):
    paths = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", TWICE, first, second],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == -signal.Signals[second]
    assert done.stdout == "a step goes on\n"


def test_a_run_without_a_signal_is_let_be():
    with Stopping("go on") as stopping:
        assert list(stopping.until(range(3))) == [0, 1, 2]


def test_a_process_that_is_deaf_to_a_signal_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stopping("go on") as stopping:
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) == stopping._note  # the other is heard
            signal.raise_signal(signal.SIGINT)
            assert list(stopping.until(range(3))) == [0, 1, 2]
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
