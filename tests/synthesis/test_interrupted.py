"""A synthesis that is interrupted goes on to the same result, or says what is missing."""

import gc
import weakref
from itertools import count

import pytest
import torch
from test_result import equal

from small_clips import clip, recipe
from stst.errors import Diverged, FramesError, RunError
from stst.synthesis.framewise import FrameDone
from stst.synthesis.result import Recorder, Synthesis
from stst.synthesis.synthesize import factorize, synthesize, synthesize_many
from stst.video.film import Film
from stst.video.frames import Clip


class Breaking(torch.nn.Module):
    """A stream that interrupts a call, once, when `calls_left` is set."""

    def __init__(self, inner, error=KeyboardInterrupt):
        super().__init__()
        self.inner, self.error, self.calls, self.calls_left = inner, error, 0, 0
        self.frames_needed, self.min_side, self.layers = inner.frames_needed, 8, inner.layers

    def forward(self, window, layers):
        """The inner stream's activations."""
        self.calls_left -= 1
        if self.calls_left == 0:
            raise self.error
        return self.inner(window, layers)


def two_shots():
    dark, light = clip(3, seed=2).frames * 0.3, 1 - 0.3 * clip(3, seed=3).frames
    return Clip(torch.cat((dark, light)), 25)


FEW = {"octaves": [{"steps": 2}], "pad": 1}
RUNS = {
    "frame by frame": lambda **how: synthesize(clip(3), recipe=recipe(**FEW), **how),
    "two seeds": lambda **how: synthesize(clip(3), recipe=recipe(**FEW), seed=[1, 2], **how),
    "many clips": lambda **how: synthesize_many(
        [clip(3), clip(3, seed=4)], recipe=recipe(**FEW), **how
    ),
    "factors": lambda **how: factorize(clip(3), clip(3, seed=5), recipe=recipe(**FEW), **how),
    "after given frames": lambda **how: synthesize(
        clip(4), recipe=recipe(**FEW), given=clip(2), **how
    ),
    "shots": lambda **how: synthesize(
        two_shots(), recipe=recipe(**FEW), shots=[range(3), range(3, 6)], **how
    ),
    "whole": lambda **how: synthesize(
        clip(3), recipe=recipe(octaves=[{"steps": 2}], pad=1, whole={}), **how
    ),
    "a loop": lambda **how: synthesize(
        clip(3), recipe=recipe(octaves=[{"steps": 2}], pad=1, whole={"loop": True}), **how
    ),
}


@pytest.mark.parametrize("kind", RUNS)
def test_after_ctrl_c_anywhere_the_result_is_that_of_an_unbroken_run(kind, toy_space, toy_time):
    unbroken = RUNS[kind](spatial=toy_space, temporal=toy_time).result()
    for at in count(1):
        stream = Breaking(toy_space)
        run = RUNS[kind](spatial=stream, temporal=toy_time)
        stream.calls_left = at
        try:
            run.result()
            break
        except KeyboardInterrupt:
            pass
        assert equal(run.result(), unbroken)
        assert equal(run.result(), unbroken)
        assert next(run, None) is None
    assert at > 8


def test_the_events_of_the_frame_under_way_come_again_and_no_others(toy_space, toy_time):
    stream = Breaking(toy_space)
    run = RUNS["two seeds"](spatial=stream, temporal=toy_time)
    events = [next(run) for _ in range(4)]
    stream.calls_left = 2
    with pytest.raises(KeyboardInterrupt):
        events.extend(run)
    place = len(events)
    events.extend(run)
    unbroken = list(RUNS["two seeds"](spatial=toy_space, temporal=toy_time))
    last = max(k for k in range(place) if isinstance(events[k], FrameDone))
    wanted = [*unbroken[:place], *unbroken[last + 1 :]]
    assert [kind_of(event) for event in events] == [kind_of(event) for event in wanted]


def kind_of(event):
    """The place of an event."""
    names = ("transition", "octave", "step", "index")
    return (type(event), *(getattr(event, name, None) for name in names))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("owner", "method"), [(Film, "append"), (Recorder, "add")])
def test_ctrl_c_while_a_frame_is_recorded_loses_and_doubles_nothing(
    owner, method, late, monkeypatch, toy_space, toy_time
):
    begin = RUNS["two seeds"]
    unbroken = begin(spatial=toy_space, temporal=toy_time).result()
    plain = getattr(owner, method)
    for at in range(1, 7):
        calls = iter(range(1, 10**6))

        def broken(*arguments, calls=calls, at=at):
            call = next(calls)
            if call == at and not late:
                raise KeyboardInterrupt
            plain(*arguments)
            if call == at:
                raise KeyboardInterrupt

        run = begin(spatial=toy_space, temporal=toy_time)
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, broken)
            with pytest.raises(KeyboardInterrupt):
                run.result()
        assert equal(run.result(), unbroken)


def test_curves_of_an_addition_that_was_interrupted_are_made_anew():
    recorder = Recorder(1)
    recorder.add([{"a": torch.ones(1), "b": torch.ones(1)}])
    recorder._values["a"].extend([7.0])  # as far as an interrupted one came
    recorder.add([{"b": torch.zeros(1)}])
    assert {k: v.tolist() for k, v in recorder.curves().items()} == {
        "a": [[1.0, pytest.approx(float("nan"), nan_ok=True)]],
        "b": [[1.0, 0.0]],
    }


def test_break_a_failing_loop_and_two_loops_go_on(begin):
    unbroken = begin().result()
    run = begin()
    for _ in run:
        break
    with pytest.raises(ZeroDivisionError):
        [1 / 0 for _ in run]
    for event in run:
        if isinstance(event, FrameDone):
            break
    assert equal(run.result(), unbroken)


def test_an_error_on_the_way_is_gone_on_after(toy_space, toy_time):
    unbroken = RUNS["frame by frame"](spatial=toy_space, temporal=toy_time).result()
    stream = Breaking(toy_space, error=torch.OutOfMemoryError)
    run = RUNS["frame by frame"](spatial=stream, temporal=toy_time)
    stream.calls_left = 9
    with pytest.raises(torch.OutOfMemoryError):
        run.result()
    assert equal(run.result(), unbroken)


def test_divergence_is_said_each_time(toy_time):
    class Exploding(Breaking):
        def forward(self, window, layers):
            self.calls += 1
            found = self.inner(window, layers)
            return {k: v * (float("inf") if self.calls > 12 else 1) for k, v in found.items()}

    run = RUNS["frame by frame"](spatial=Exploding(toy_time), temporal=toy_time)
    for _ in range(2):
        with pytest.raises(Diverged):
            run.result()


def test_fewer_frames_than_were_asked_for_are_never_a_result(toy_space, toy_time, monkeypatch):
    """The planted bug: what comes after an interruption is taken for the end."""
    stream = Breaking(toy_space)
    run = RUNS["frame by frame"](spatial=stream, temporal=toy_time)
    monkeypatch.setattr(Synthesis, "_next_new", lambda self: next(self._events or iter(())))
    stream.calls_left = 14
    with pytest.raises(KeyboardInterrupt):
        run.result()
    with pytest.raises(RunError, match=r"ended after 2 of 3 frames\. Start it again"):
        run.result()


def test_a_full_disk_is_gone_on_after_when_there_is_room(begin, monkeypatch):
    unbroken, run = begin().result(), begin()

    def full(*_):
        raise FramesError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Film, "append", full)
        with pytest.raises(FramesError):
            run.result()
    assert equal(run.result(), unbroken)


def test_a_run_that_is_left_keeps_no_memory_of_its_frames(begin):
    run = begin(clip(12))
    list(run)
    assert len(run._ends) == 1
    assert run._ends[0].frame.numel() == 0
    films = [weakref.ref(film) for film in run._films]
    del run
    gc.collect()
    assert not any(film() for film in films)
