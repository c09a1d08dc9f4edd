"""A synthesis that was stopped anywhere, any number of times, ends in what an unbroken one does."""

import random
from functools import partial

import pytest
import torch
from journalled import FACTS, natural, session, summary

from stst import Recipe, StstError, synthesize
from stst.storage.checkpoint import Checkpoint
from stst.synthesis import framewise
from stst.synthesis.framewise import FrameDone
from stst.workflows import prepared as journal

OCTAVES = [{"scale": 0.5, "steps": 2}, {"steps": [3, 2]}]
CASES = {
    "pad frames and weights that change": (
        {"pad": 2, "start": {"blend": 0.9}, "weights": {"time_texture": [0, 1, 2]}},
        {},
    ),
    "several seeds": ({"weights": {"sameness": 0.1}}, {"seed": [3, 1, 2]}),
    "frames given": ({}, {"given": natural(2, seed=5)}),
    "a start given": ({}, {"start": natural(seed=5)}),
    "octaves that end early": ({"stop": {"tolerance": 0.6, "every": 2}}, {}),
    "one octave": ({"octaves": [{"steps": 2}], "start": {"blend": 0.9}}, {}),
    "no steps": ({"octaves": [{"steps": [1, 0, 2]}]}, {}),
    "pairs further apart": ({"distances": [1, 2], "pad": 2}, {}),
    "moved starts and Adam": ({"start": {"warp": "affine"}, "optimiser": {"method": "adam"}}, {}),
    "weights equalised": ({"equalise": 10.0, "scaling": "raw"}, {}),
    "a whole clip": ({"whole": {}}, {}),
    "cuts": ({"pad": 2, "start": {"blend": 0.9}}, {"shots": (range(2), range(2, 3), range(3, 4))}),
}


@pytest.fixture
def begin(toy_space, toy_time):
    """``begin(case)``: a function that begins its synthesis on the toy streams."""

    def prepared(case):
        settings, more = CASES[case]
        recipe = Recipe.parse({"octaves": OCTAVES, "pad": 1} | settings)
        streams = {"spatial": toy_space, "temporal": toy_time}
        return partial(synthesize, natural(), recipe=recipe, **streams, **more)

    return prepared


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
@pytest.mark.parametrize("case", CASES)
def test_any_interruption_leaves_no_trace(begin, case, seed, tmp_path):
    run = begin(case)
    whole = run().result()
    events = sum(1 for _ in run())
    dice = random.Random(f"{case}/{seed}")
    for stop in sorted(dice.randint(1, events) for _ in range(2)):
        assert session(run, tmp_path / "run", stop) is None
    assert summary(session(run, tmp_path / "run")) == summary(whole)
    assert summary(session(run, tmp_path / "run")) == summary(whole)  # finished: no step is taken


def test_a_stop_before_each_event_leaves_no_trace(begin, tmp_path):
    run = begin("one octave")
    whole = summary(run().result())
    for stop in range(1, 1 + sum(1 for _ in run())):
        session(run, tmp_path / str(stop), stop)
        assert summary(session(run, tmp_path / str(stop))) == whole


def rounded(tensors):
    return SAVE(tensors | {"history": tensors["history"].half().float()})


def without_losses(tensors):
    fewer = {name: tensors[name][:-1] for name in ("places", "losses")}
    return SAVE(tensors | fewer)


SAVE, LOAD = journal.save, journal.load


@pytest.mark.parametrize("planted", [rounded, without_losses])
def test_a_bad_journal_is_caught(begin, planted, tmp_path, monkeypatch):
    run = begin("pad frames and weights that change")
    monkeypatch.setattr(journal, "save", planted)
    session(run, tmp_path / "run", 14)
    assert summary(session(run, tmp_path / "run")) != summary(run().result())


@pytest.mark.slow
def test_a_stop_before_each_event_of_several_shots_leaves_no_trace(begin, tmp_path):
    run = begin("cuts")
    whole = summary(run().result())
    for stop in range(1, 1 + sum(1 for _ in run())):
        session(run, tmp_path / str(stop), stop)
        assert summary(session(run, tmp_path / str(stop))) == whole


def test_events_of_one_shot_that_go_to_another_are_caught(begin, tmp_path, monkeypatch):
    monkeypatch.setattr(framewise, "_events_of_shot", lambda finished, shot, before: finished)
    with pytest.raises((AssertionError, StstError, IndexError)):
        test_a_stop_before_each_event_of_several_shots_leaves_no_trace(begin, tmp_path)


def test_no_finished_frame_is_made_again(begin, tmp_path):
    run = begin("several seeds")
    events = list(run())
    third = [n for n, event in enumerate(events, 1) if isinstance(event, FrameDone)][2]
    session(run, tmp_path / "run", third + 1)  # a step of the fourth
    kept = Checkpoint.load(tmp_path / "run")[0]
    assert kept.state.count == 3
    again = list(run(finished=journal.Journal(kept).finished("cpu")))
    assert len(again) == len(events)
    for one, other in zip(again[:third], events[:third], strict=True):
        assert type(one) is type(other)
        if isinstance(one, FrameDone):
            assert one.frame.equal(other.frame)
            assert one.frame.stride() == other.frame.contiguous().stride()
            assert list(one.residuals) == list(other.residuals)
        else:
            assert list(one.losses) == list(other.losses)
            assert all(torch.equal(one.losses[k], other.losses[k]) for k in one.losses)


def test_another_layout_of_what_is_loaded_is_caught(begin, tmp_path, monkeypatch):
    def turned(data):
        found = LOAD(data)
        return found | {"history": found["history"].mT.contiguous().mT}

    monkeypatch.setattr(journal, "load", turned)
    with pytest.raises(AssertionError):
        test_no_finished_frame_is_made_again(begin, tmp_path)


def test_a_clip_made_at_once_has_nothing_to_go_on_from(begin, tmp_path):
    run = begin("a whole clip")
    session(run, tmp_path / "run", sum(1 for _ in run()) - 1)
    assert Checkpoint.load(tmp_path / "run")[0].state.count == 0


def test_the_time_is_that_of_all_sessions(tmp_path):
    tmp_path.joinpath("run").mkdir()
    kept = Checkpoint.begin(tmp_path / "run", FACTS | {"seconds": 100.0})
    assert 100 < journal.Journal(kept).seconds < 110
