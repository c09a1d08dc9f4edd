"""synthesize(): batches, targets, determinism, the caller's state, refusals."""

import copy
import weakref
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from small_clips import RATE, clip, recipe
from stst.errors import Diverged, StreamError
from stst.losses.functional import gram
from stst.models.stream import load_stream
from stst.synthesis.framewise import FrameDone, frame_order
from stst.synthesis.refine import Step
from stst.synthesis.synthesize import synthesize
from stst.video.film import Film
from stst.video.frames import Clip


def content(result):
    """All that a result holds, as bytes."""
    arrays = [c.frames.numpy() for c in result.clips]
    arrays += [*result.residuals.values(), *result.losses.values()]
    return b"".join(array.tobytes() for array in arrays)


def test_the_metamer_has_the_targets_form(begin):
    result = begin(how=recipe(pad=2), seed=[3, 4]).result()
    assert len(result.clips) == 2
    assert result.clip is result.clips[0]
    for metamer in result.clips:
        assert metamer.frames.shape == clip().frames.shape
        assert metamer.frame_rate == RATE
    assert not result.clips[0].frames.equal(result.clips[1].frames)
    assert set(result.residuals) == {"space_texture/toy", "time_texture/toy"}
    assert all(values.shape == (2, 4) for values in result.residuals.values())
    assert set(result.losses) == {"space_texture", "time_texture", "total_variation", "total"}
    assert all(values.shape == (2, 2 + 3 + 4 * 4) for values in result.losses.values())
    assert result.boundaries == (0, 5, 9, 13, 17)


@pytest.mark.parametrize("method", ["normalised", "adam", "lbfgs"])
def test_the_metamer_comes_nearer_to_the_target(begin, method):
    how = recipe(octaves=[{"steps": 20, "rate": 0.02}], optimiser={"method": method})
    idle = recipe(octaves=[{"steps": 0}])
    found, before = (begin(how=x).result().residuals for x in (how, idle))
    for name, residuals in found.items():
        assert residuals.mean() < 0.5 * before[name].mean()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"octaves": [{"steps": [0, 2]}, {"steps": 1}]},
        {"octaves": [{"steps": [3, 0]}]},
        {"octaves": [{"steps": 0}]},
        {"pad": 3, "colour": {"after": "frame"}},
    ],
)
def test_the_length_is_the_number_of_events(begin, settings):
    synthesis = begin(how=recipe(**settings))
    seen = list(synthesis)
    assert len(synthesis) == len(seen)
    assert isinstance(seen[-1], FrameDone)
    result = synthesis.result()
    firsts = [i for i, e in enumerate(e for e in seen if isinstance(e, Step)) if e.step == 0]
    assert set(result.boundaries) <= set(firsts)
    frames_with_steps = {e.transition for e in seen if isinstance(e, Step)}
    assert len(result.boundaries) == len(frames_with_steps)


def test_the_result_is_the_same_however_it_is_asked_for(begin):
    by_hand = begin()
    next(by_hand)
    assert content(by_hand.result()) == content(begin().result()) == content(by_hand.result())


def test_a_clip_on_disk_is_as_good_as_one_in_memory(begin):
    target, start = clip(), clip(seed=9)
    films = [Film(one.size, one.frame_rate) for one in (target, start)]
    for film, one in zip(films, (target, start), strict=True):
        for frame in one.frames:
            film.append(frame)
    in_memory = content(begin(target, start=start).result())
    assert content(begin(films[0], start=films[1]).result()) == in_memory


def test_a_copy_of_a_result_is_in_memory_and_the_same(begin):
    result = begin(seed=[0, 1]).result()
    copied = copy.deepcopy(result)
    assert all(isinstance(metamer, Clip) for metamer in copied.films)
    assert content(copied) == content(result)


def most_alive(events):
    """How many finished frames are held at a time while events pass."""
    frames, most = [], 0
    for event in events:
        if isinstance(event, FrameDone):
            frames.append(weakref.ref(event.frame))
        most = max(most, sum(frame() is not None for frame in frames))
    return most


def test_frames_are_not_held_longer_than_they_are_needed(begin, watched):
    target, start = watched(clip(12)), watched(clip(12))
    synthesis = begin(target, start=start)
    assert most_alive(synthesis) <= 2
    assert (target.most, start.most) == (2, 1)
    assert len(synthesis.result().clip) == 12
    kept = []
    assert most_alive(kept.append(event) or event for event in begin(clip(12))) == 12


@pytest.mark.parametrize("method", ["normalised", "adam"])
def test_each_seed_of_a_batch_is_made_as_if_alone(begin, method):
    how = recipe(optimiser={"method": method}, colour={"after": "frame"}, equalise=10.0)
    together = begin(how=how, seed=[0, 1]).result()
    for i in (0, 1):
        alone = begin(how=how, seed=i).result()
        gap = (together.clips[i].frames - alone.clip.frames).abs().max().item()
        assert gap <= 1e-5
        for name, values in alone.losses.items():
            np.testing.assert_allclose(together.losses[name][i], values[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_callers_state_changes_nothing_and_is_left_alone(begin, mode, dtype, globals_unchanged):
    how = recipe(colour={"after": "octave"}, equalise=10.0)
    quiet = content(begin(how=how).result())
    torch.set_default_dtype(dtype)
    try:
        with mode():
            synthesis = begin(clip(), how)
            next(synthesis)
            assert not torch.is_grad_enabled()
            assert torch.is_inference_mode_enabled() is (mode is torch.inference_mode)
            found = content(synthesis.result())
    finally:
        torch.set_default_dtype(torch.float32)
    assert found == quiet


def test_a_metamer_carries_no_graph(begin):
    target = clip()
    target.frames.requires_grad_()
    result = begin(target, recipe(octaves=[{"steps": 0}]), start=target).result()
    assert not result.clip.frames.requires_grad
    assert target.frames.grad is None


def test_embedded_streams_do_their_work_in_inference_mode():
    how = recipe(octaves=[{"steps": 1}])
    target = clip(2, 40, 40)
    results = []
    for mode in (torch.inference_mode, nullcontext):
        with mode():
            results.append(content(synthesize(target, spatial="compact", recipe=how).result()))
    assert results[0] == results[1]


def test_seeds_decide(begin):
    assert content(begin(seed=5).result()) == content(begin(seed=5).result())
    assert content(begin(seed=5).result()) != content(begin(seed=6).result())


def test_space_and_time_can_come_from_two_clips(begin, toy_space, toy_time):
    a, b = clip(seed=1), clip(seed=2)
    how = recipe(octaves=[{"steps": 0}])
    synthesis = begin({"time_texture": b, "space_texture": a}, how, start=a)
    residuals = synthesis.result().residuals
    assert residuals["space_texture/toy"].max() < 1e-6
    assert residuals["time_texture/toy"].min() > 1e-3


def test_a_start_is_where_frames_start(begin):
    start = clip(seed=9)
    result = begin(how=recipe(octaves=[{"steps": 0}]), start=start, seed=[0, 1]).result()
    assert all(metamer.frames.equal(start.frames) for metamer in result.clips)


def test_a_loss_weighed_in_some_frames_alone_has_no_residual_in_others(begin):
    how = recipe(weights={"time_texture": [0, 0, 1]})
    residuals = begin(how=how).result().residuals
    assert np.isnan(residuals["time_texture/toy"][0]).tolist() == [True, True, False, False]
    assert np.isfinite(residuals["space_texture/toy"]).all()


def test_relative_losses_are_in_units_of_the_target(begin, toy_space, toy_time):
    def first(scaling):
        how = recipe(octaves=[{"steps": 1}], scaling=scaling)
        return begin(how=how, start=clip(seed=9)).result().losses

    raw, relative = first("raw"), first("relative")
    window = clip().frames[frame_order(4, recipe())[:2]][None]
    space, time = (gram(stream(window, ["toy"])["toy"]) for stream in (toy_space, toy_time))
    ratio = {name: raw[name][0, 0] / relative[name][0, 0] for name in raw}
    assert ratio["space_texture"] == pytest.approx(space.square().mean().item(), rel=1e-4)
    assert ratio["time_texture"] == pytest.approx(time.var().item(), rel=1e-4)


def test_a_stream_that_no_loss_asks_for_is_not_loaded(toy_space):
    how = recipe(weights={"time_texture": 0, "space_content": 1})
    result = synthesize(clip(), spatial=toy_space, temporal="no such stream", recipe=how).result()
    assert set(result.residuals) == {"space_texture/toy", "space_content/toy"}


def test_all_layers_of_a_stream_can_be_matched():
    layers = {"space_texture": "all", "time_texture": "all"}
    everything = recipe(octaves=[{"steps": 1}], layers=layers)
    run = synthesize(clip(frames=2, height=40, width=40), spatial="compact", recipe=everything)
    matched = [name.split("/") for name in run.result().residuals]
    for loss, stream in (("space_texture", "compact"), ("time_texture", "msoe")):
        assert [layer for of, layer in matched if of == loss] == list(load_stream(stream).layers)


def test_a_callable_is_a_stream_where_the_recipe_names_layers():
    def edges(window, layers):
        return {name: window[:, -1].diff(dim=-1) for name in layers}

    weights = {"space_texture": 1, "time_texture": 0}
    how = recipe(weights=weights, layers={"space_texture": ["edges"]})
    assert set(synthesize(clip(), spatial=edges, recipe=how).result().residuals) == {
        "space_texture/edges"
    }
    with pytest.raises(StreamError, match=r"set layers\.space_texture"):
        synthesize(clip(), spatial=edges, recipe=recipe(weights=weights))


def test_divergence_comes_out_as_it_is(toy_time):
    factor = 1.0  # while the stream is tried

    def poisoned(window, layers):
        return {name: window[:, -1] * factor for name in layers}

    how = recipe(layers={"space_texture": ["any"]})
    synthesis = synthesize(clip(), spatial=poisoned, temporal=toy_time, recipe=how)
    factor = torch.nan
    with pytest.raises(Diverged, match=r"space_texture .* transition 0, octave 0, step 0"):
        synthesis.result()
