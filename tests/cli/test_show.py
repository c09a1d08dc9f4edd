"""What is said before a run, and a bar that tells the truth when octaves end early."""

import io
import re
from itertools import pairwise

import pytest
from rich.console import Console
from terminal import waves

from stst.cli import show
from stst.recipe import Recipe
from stst.storage.config import SynthesisConfig
from stst.synthesis.estimate import Estimate
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Clip
from stst.workflows.prepared import FrameCount
from stst.workflows.progress import stages

FRAMES, PAD = 4, 2
OCTAVES = [{"scale": 0.5, "steps": 4}, {"scale": 1, "steps": 6}]
STOPS = {"all steps": None, "early": {"tolerance": 0.6, "every": 2}, "at once": {"tolerance": 9}}


@pytest.fixture
def begin(toy_space, toy_time):
    """``begin(recipe)``: a synthesis on the toy streams."""

    def run(recipe):
        natural = waves(FRAMES, 32, 36)
        return synthesize(natural, spatial=toy_space, temporal=toy_time, recipe=recipe)

    return run


def recipe(stop=None):
    return Recipe(octaves=OCTAVES, pad=PAD, stop=stop)


def is_honest(told):
    """Forward alone, from nothing to all frames, at each of which it is a whole number."""
    amounts = [0, *(done for _, done in told)]
    whole = [done for done in amounts if done == int(done)]
    return (
        all(0 <= b - a <= 1 for a, b in pairwise(amounts))
        and sorted(set(whole)) == list(range(FRAMES + PAD))
        and amounts[-1] == FRAMES + PAD - 1
    )


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_the_bar_moves_forward_to_its_end_however_many_steps_are_taken(begin, stop):
    assert is_honest(list(stages(begin(recipe(stop)), FrameCount(FRAMES, recipe(stop)))))


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
@pytest.mark.parametrize("loop", [False, True])
def test_the_bar_of_a_whole_clip_moves_by_its_steps(begin, stop, loop):
    how = recipe(stop).with_settings({"whole": {"loop": loop}})
    plan = FrameCount(FRAMES, how)
    told = list(stages(begin(how), plan))
    amounts = [0, *(done for _, done in told)]
    assert all(b - a >= 0 for a, b in pairwise(amounts))
    assert amounts[-1] == plan.made == FRAMES + (0 if loop else PAD - 1)
    if stop is None:
        assert told[0][0] == "whole clip, octave 1/2, step 1"
        assert 0 < amounts[4] < amounts[8] < plan.made


def test_frames_that_are_given_are_counted_from_the_first(toy_space, toy_time):
    natural = waves(FRAMES, 32, 36)
    given = Clip(natural.frames[:2], natural.frame_rate)
    how = recipe()
    run = synthesize(natural, spatial=toy_space, temporal=toy_time, recipe=how, given=given)
    told = list(stages(run, FrameCount(FRAMES, how, given=2)))
    assert told[0] == ("frame 1/4", 1)
    assert told[2][0] == "frame 3/4, octave 1/2, step 1"
    assert told[-1] == ("frame 4/4", 4)


@pytest.mark.parametrize("whole", [None, {}])
def test_the_bar_goes_through_all_shots(toy_space, toy_time, whole):
    shots = (range(1), range(1, FRAMES))
    how = recipe().with_settings({"whole": whole})
    streams = {"spatial": toy_space, "temporal": toy_time}
    run = synthesize(waves(FRAMES, 32, 36), recipe=how, shots=shots, **streams)
    plan = FrameCount(FRAMES, how, shots=shots)
    told = list(stages(run, plan))
    amounts = [0, *(done for _, done in told)]
    assert all(b - a >= 0 for a, b in pairwise(amounts))
    assert amounts[-1] == plan.made == FRAMES + 2 * (PAD - 1)
    names = [name.partition(",")[0] for name, _ in told]
    if whole is None:
        wanted = ["pad frame 1", "frame 1/4", "pad frame 1", *(f"frame {n}/4" for n in (2, 3, 4))]
        assert [name for name, before in pairwise([*names, ""]) if name != before] == wanted
    else:
        assert {"frames 1-1", "frames 2-4"} <= set(names)


@pytest.fixture
def full(begin):
    """Stages of a run that takes all its steps."""
    return list(stages(begin(recipe()), FrameCount(FRAMES, recipe())))


def test_a_stage_says_where_it_is(full):
    names = [name for name, _ in full]
    assert names[0] == "pad frame 1, octave 1/2, step 1"
    assert names[4] == "pad frame 1, octave 2/2, step 1"
    assert names[10:12] == ["pad frame 1", "frame 1/4, octave 1/2, step 1"]
    assert names[-2:] == ["frame 4/4, octave 2/2, step 6", "frame 4/4"]


def test_an_octave_that_is_done_counts_as_its_share_of_the_pixels(full):
    assert [done for _, done in full[:10]] == [0] * 4 + [0.25 / 1.25] * 6


@pytest.mark.parametrize(
    "planted",
    [
        lambda told: told[:-1],
        lambda told: [*told, ("", FRAMES + PAD)],
        lambda told: [(name, done / 2) for name, done in told],
        lambda told: [*told, *reversed(told), *told],
    ],
)
def test_the_test_of_the_bar_catches_a_false_one(planted, full):
    assert is_honest(full)
    assert not is_honest(planted(full))


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_the_bar_is_full_in_the_end(begin, monkeypatch, stop):
    terminal = io.StringIO()
    monkeypatch.setattr(show, "console", Console(file=terminal, width=120, force_terminal=True))
    show.TERMINAL.follow(begin(recipe(stop)), FrameCount(FRAMES, recipe(stop)))
    assert "\x1b[" in terminal.getvalue()
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue()).splitlines()[-1]
    assert last.startswith("frame 4/4 ")
    assert "100 %" in last


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_a_pipe_is_told_in_the_end_that_all_is_made(begin, capsys, stop):
    show.TERMINAL.follow(begin(recipe(stop)), FrameCount(FRAMES, recipe(stop)))
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"frame 4/4: 100 %, \d+ s, 0 s left", line)


@pytest.fixture
def clock(monkeypatch):
    """``clock[0]``: the time in seconds that the progress lines see."""
    now = [1000.0]
    monkeypatch.setattr(show.time, "monotonic", lambda: now[0])
    return now


def pipe_progress(clock, seconds):
    """Count 100 items, one in so many seconds."""
    with show.TERMINAL.counted("films", 100) as advance:
        for done in range(1, 101):
            clock[0] += seconds
            advance(done, 100)


def test_a_pipe_gets_plain_lines_and_not_too_many(clock, capsys):
    pipe_progress(clock, 1.0)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 100 / show.EVERY + 1  # and the last
    assert [line.split(",")[0] for line in lines[:2]] == ["films: 5 %", "films: 10 %"]
    assert lines[-1].startswith("films: 100 %")
    assert all(line.isprintable() for line in lines)
    assert list(show.TERMINAL.track("abc", "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr().out.startswith("letters: 100 %")


def test_too_many_lines_are_caught(clock, capsys, monkeypatch):
    """The planted bug that the test above must catch."""
    monkeypatch.setattr(show, "EVERY", 0.0)
    pipe_progress(clock, 1.0)
    assert len(capsys.readouterr().out.splitlines()) > 100 / 5 + 1


def test_a_pipe_is_told_what_is_under_way(clock, capsys):
    with show.TERMINAL.busy("reading ...") as update:
        update("matching ...")
        clock[0] += show.EVERY
        update("writing a, 1 of 9 ...")
        update("writing b, 2 of 9 ...")
    assert capsys.readouterr().out.splitlines() == ["reading ...", "writing a, 1 of 9 ..."]


@pytest.mark.parametrize(("stop", "wanted"), [(None, "7 min"), ({"tolerance": 1}, "at most 7 min")])
def test_time_is_a_bound_where_octaves_may_end_early(stop, wanted, capsys):
    config = SynthesisConfig(source={"path": "a.mp4"}, recipe=recipe(stop))
    expected = Estimate((1.0, 1.0), 0.0, 5, 400, 3 * 10**8)
    show.TERMINAL.announce(
        waves(FRAMES), config, expected, ["a stand-in"], FrameCount(FRAMES, config.recipe)
    )
    said = capsys.readouterr().out
    assert f"Expected: {wanted}, 300 MB of memory." in said
    assert "Note: a stand-in" in said
