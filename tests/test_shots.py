"""A synthesis of a film with cuts: shot by shot, the first alone, across cuts, or not at all."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cut_films import film, scene
from small_clips import recipe
from stst import Clip, find_shots, synthesize, synthesize_many
from stst.errors import Diverged, FramesError
from stst.recipe import Recipe
from stst.synthesis import framewise as joining
from stst.synthesis.framewise import FrameDone, describe_shots

SIZE = (48, 80)


def part(seed, frames):
    return scene(seed, frames, size=SIZE)


FILM = film(part(1, 5), part(2, 1), part(3, 4))
SHOTS = (range(5), range(5, 6), range(6, 10))


@pytest.fixture
def make(toy_space, toy_time):
    """``make(clip, shots=..., ...)``: the metamer's frames of a synthesis on toy streams."""

    def made(clip=FILM, **more):
        how = recipe(pad=2, **more.pop("how", {}))
        return synthesize(clip, spatial=toy_space, temporal=toy_time, recipe=how, **more)

    return made


def alone(clip, shot):
    return Clip(clip.frames[shot.start : shot.stop], clip.frame_rate)


def test_the_film_has_the_shots_that_were_planted():
    assert find_shots(FILM) == SHOTS


def test_each_shot_is_made_as_a_clip_of_its_own(make):
    made = make().result().clip.frames
    first = make(alone(FILM, SHOTS[0])).result().clip.frames
    assert made.shape == FILM.frames.shape
    assert made[:5].equal(first)
    # What another shot holds has no say, as long as its length is the same.
    other = film(part(7, 5), part(2, 1), part(3, 4))
    assert find_shots(other) == SHOTS
    assert make(other).result().clip.frames[5:].equal(made[5:])


def test_a_shot_has_noise_of_its_own(make):
    twice = Clip(torch.cat((FILM.frames[:5], FILM.frames[:5])), Fraction(25))
    made = make(twice, shots=(range(5), range(5, 10))).result().clip.frames
    assert not made[:5].equal(made[5:])
    assert made.equal(make(twice, shots=(range(5), range(5, 10))).result().clip.frames)


def test_cuts_that_are_ignored_leave_the_frames_of_before(make):
    plain = make(how={"shots": "ignore"}).result().clip.frames
    assert plain.equal(make(shots=(range(10),)).result().clip.frames)
    assert not plain[5:].equal(make().result().clip.frames[5:])


def test_the_first_shot_alone(make):
    made = make(how={"shots": "first"}).result().clip.frames
    assert made.equal(make().result().clip.frames[:5])


def test_a_clip_without_cuts_is_made_as_before(make):
    clip = film(part(1, 6))
    frames = [
        make(clip, how={"shots": how}).result().clip.frames
        for how in ("each", "first", "ignore", "refuse")
    ]
    assert all(one.equal(frames[0]) for one in frames)


def edges(window, layers):
    """A stream that takes next to no time."""
    return {name: window[:, -1].diff(dim=-1) for name in layers}


edges.layers = ("edges",)


@given(lengths=st.lists(st.integers(1, 4), min_size=2, max_size=4))
@settings(max_examples=10)
def test_shots_of_any_length_are_made(lengths):
    ends = torch.tensor([0, *lengths]).cumsum(0).tolist()
    shots = tuple(map(range, ends, ends[1:]))
    clip = film(part(0, ends[-1]))
    how = recipe(pad=3, octaves=[{"steps": 1}])
    run = synthesize(clip, spatial=edges, recipe=how.with_losses("space_texture"), shots=shots)
    events = list(run)
    assert len(events) == len(run)
    kept = [e.index for e in events if isinstance(e, FrameDone) and e.index >= 0]
    assert kept == list(range(ends[-1]))
    pads = sum(isinstance(e, FrameDone) and e.index < 0 for e in events)
    assert pads == 2 * len(shots)


def test_events_are_counted_through_all_shots(make):
    run = make()
    events = list(run)
    assert len(events) == len(run)
    places = [e.state.transition for e in events if isinstance(e, FrameDone)]
    assert places == sorted(set(places))
    steps = [e.transition for e in events if not isinstance(e, FrameDone)]
    assert steps == sorted(steps)


@pytest.mark.parametrize("chunk", [1, 4])
def test_whole_clips_are_made_shot_by_shot(make, chunk):
    run = make(how={"whole": {"chunk": chunk}})
    events = list(run)
    assert len(events) == len(run)
    made = run.result().clip.frames
    first = make(alone(FILM, SHOTS[0]), how={"whole": {"chunk": chunk}})
    assert made[:5].equal(first.result().clip.frames)
    assert len(made) == 10


def test_a_cut_in_either_target_begins_a_shot(make):
    space, time = film(part(1, 4), part(2, 6)), film(part(3, 7), part(4, 3))
    both = {"space_texture": space, "time_texture": time}
    made = make(both).result().clip.frames
    shots = (range(4), range(4, 7), range(7, 10))
    assert made.equal(make(both, shots=shots).result().clip.frames)
    assert not made.equal(make(both, shots=(range(4), range(4, 10))).result().clip.frames)


def test_a_start_is_taken_shot_by_shot(make):
    start = film(part(8, 10))
    idle = {"octaves": [{"steps": 0}]}
    assert make(start=start, how=idle).result().clip.frames.equal(start.frames)


def test_seeds_of_one_film_are_made_together(make):
    assert [len(clip) for clip in make(seed=[0, 1]).result().clips] == [10, 10]


@pytest.mark.parametrize(
    ("how", "more", "told"),
    [
        ({"shots": "refuse"}, {}, "cuts at frame 5, 6.*shots=each"),
        ({"whole": {"loop": True}}, {}, "loop.*cuts at frame 5, 6.*shots=ignore"),
        ({}, {"given": film(part(1, 2))}, "given.*cuts at frame 5, 6.*shots=ignore"),
        ({}, {"shots": ()}, "shots must be ranges.*none"),
        ({}, {"shots": (range(3), range(2, 5))}, "without overlap"),
        ({}, {"shots": (range(11),)}, "within 10"),
    ],
)
def test_what_cannot_be_is_refused_at_once(make, how, more, told):
    with pytest.raises(FramesError, match=told):
        make(how=how, **more)


@pytest.mark.parametrize("way", ["ignore", "first"])
@pytest.mark.parametrize("more", [{"whole": {"loop": True}}, {"given": film(part(1, 2))}])
def test_what_the_error_advises_helps(make, way, more):
    given = {"given": more["given"]} if "given" in more else {}
    how = {k: v for k, v in more.items() if k != "given"} | {"shots": way}
    assert len(make(how=how, **given).result().clip) == (10 if way == "ignore" else 5)


def test_clips_of_a_batch_have_the_same_cuts(toy_space, toy_time):
    how = recipe(pad=2)
    streams = {"spatial": toy_space, "temporal": toy_time, "recipe": how}
    other = film(part(4, 3), part(5, 7))
    with pytest.raises(FramesError, match=r"cuts at frame 5, 6; frame 3\..*one at a time"):
        synthesize_many([FILM, other], **streams)
    again = film(part(4, 5), part(5, 1), part(6, 4))
    assert len(synthesize_many([FILM, again], **streams).result().clips[1]) == 10


def test_a_whole_clip_that_is_too_short_is_still_refused(make):
    with pytest.raises(FramesError, match="needs at least 3"):
        make(film(part(1, 2)))


def test_a_shot_that_diverges_is_named():
    def breaking(shot, before, again):
        yield from ()
        if before:
            raise Diverged("a loss became infinite.")

    events = joining.shot_by_shot((range(2), range(2, 4)), (3, 3), breaking)
    with pytest.raises(Diverged, match="shot of frames 2-3: a loss"):
        list(events)


def test_the_sentence_names_the_other_ways():
    told = describe_shots(SHOTS, recipe(shots="first"))
    assert told.startswith("3 shots (frames 0-4, 5-5, 6-9): only the first is made. ")
    assert "--shots each, ignore or refuse" in told
    told = describe_shots(SHOTS, recipe())
    assert told.endswith(
        "each is made separately. To change this: --shots first, ignore or refuse."
    )
    assert describe_shots((range(9),), recipe()) == ""


def test_the_authors_walk_across_cuts():
    assert Recipe.preset("greco2024").shots == "ignore"
    assert Recipe.preset("default").shots == "each"


MOVED = joining._moved


def local(event, frames, transitions):
    return MOVED(event, frames, 0)


def shifted(event, frames, transitions):
    done = MOVED(event, frames, transitions)
    late = isinstance(event, FrameDone) and event.index >= 0
    return replace(done, index=done.index + frames) if late else done


def indices_are_right(make):
    kept = [e.index for e in make() if isinstance(e, FrameDone) and e.index >= 0]
    assert kept == list(range(10))


def test_kept_frames_are_counted_as_in_the_film(make):
    indices_are_right(make)


@pytest.mark.parametrize("planted", [local, shifted])
def test_a_wrong_count_is_caught(make, planted, monkeypatch):
    monkeypatch.setattr(joining, "_moved", planted)
    check = {local: test_events_are_counted_through_all_shots}.get(planted, indices_are_right)
    with pytest.raises(AssertionError):
        check(make)


def test_cuts_that_are_not_seen_are_caught(make, monkeypatch):
    monkeypatch.setattr("stst.synthesis.framewise.find_shots", lambda clip: (range(len(clip)),))
    with pytest.raises(AssertionError):
        test_each_shot_is_made_as_a_clip_of_its_own(make)


def test_the_same_noise_in_every_shot_is_caught(make, monkeypatch):
    noise = torch.rand(3, *SIZE)
    monkeypatch.setattr("stst.synthesis.starts.noise", lambda seed, index, shape: noise)
    with pytest.raises(AssertionError):
        test_a_shot_has_noise_of_its_own(make)
