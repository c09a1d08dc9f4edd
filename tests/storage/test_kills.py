"""SIGKILL at random moments of a synthesis: what goes on from there is the unbroken one's.

``STST_KILLS=100 pytest -m slow tests/storage/test_kills.py`` proves it on real streams; all of a
command, films and manifest too, is killed by ``benchmarks/kills.py``.
"""

import os
import random
import signal
import time
import traceback
import warnings
from functools import partial

import pytest
from journalled import natural, session, summary

from stst import Recipe, load_stream, synthesize
from stst.storage.atomic import write_whole

KILLS = int(os.environ.get("STST_KILLS", "5"))
OCTAVES = [{"scale": 0.8, "steps": 2}, {"steps": 3}]
RECIPE = Recipe.parse({"octaves": OCTAVES, "pad": 2, "start": {"blend": 0.9}})


def forked(begin, folder):
    """A process that begins the synthesis, or goes on with it, and writes what it ends in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks: no thread runs here
        process = os.fork()
    if process:
        return process
    code = 1
    try:
        write_whole(folder.with_suffix(".ended"), repr(summary(session(begin, folder))))
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def ended(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed_and_gone_on(begin, folder, after):
    """Whether the kill met the run, and what it ended in."""
    process = forked(begin, folder)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    met = ended(process) == -signal.SIGKILL
    assert ended(forked(begin, folder)) == 0
    return met, folder.with_suffix(".ended").read_text()


def kills(begin, room, count):
    """Outcomes of `count` kills, and that of a run that was let be."""
    began = time.perf_counter()
    assert ended(forked(begin, room / "whole")) == 0
    length, dice = time.perf_counter() - began, random.Random(0)
    moments = [dice.uniform(0, length) for _ in range(count)]
    found = [killed_and_gone_on(begin, room / str(n), m) for n, m in enumerate(moments)]
    return found, (room / "whole.ended").read_text()


def all_the_same(found, whole):
    same = sum(text == whole for _, text in found)
    print(f"{same} of {len(found)} the same; {sum(met for met, _ in found)} kills met the run")
    return same == len(found) and any(met for met, _ in found)


def test_a_kill_at_any_moment_leaves_no_trace(toy_space, toy_time, tmp_path):
    streams = {"spatial": toy_space, "temporal": toy_time}
    begin = partial(synthesize, natural(4), recipe=RECIPE, seed=[0, 1], **streams)
    assert all_the_same(*kills(begin, tmp_path, 5))


def test_starting_from_other_noise_is_caught(toy_space, toy_time, tmp_path):
    """The planted bug that the test above must catch: what comes after a kill has its own noise."""
    streams = {"spatial": toy_space, "temporal": toy_time}
    whole = summary(synthesize(natural(5), recipe=RECIPE, seed=0, **streams).result())

    def begin(**more):
        return synthesize(natural(5), recipe=RECIPE, seed=time.monotonic_ns(), **streams, **more)

    assert ended(forked(begin, tmp_path / "run")) == 0
    assert not all_the_same([(True, (tmp_path / "run.ended").read_text())], repr(whole))


@pytest.mark.slow
def test_a_kill_at_any_moment_of_real_streams_leaves_no_trace(tmp_path):
    streams = {"spatial": load_stream("compact"), "temporal": load_stream("msoe")}
    begin = partial(synthesize, natural(3, 52, 56), recipe=RECIPE, **streams)
    assert all_the_same(*kills(begin, tmp_path, KILLS))
