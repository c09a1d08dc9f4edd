"""The estimate: a few real steps, scaled up."""

from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from stst.recipe import Recipe
from stst.synthesis.estimate import PROBE_STEPS, estimate
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Clip

RECIPE = Recipe.parse({"octaves": [{"scale": 0.5, "steps": [400, 100]}, {"steps": 50}], "pad": 1})


@pytest.fixture
def counted(toy_time):
    """A synthesis on a toy stream, and the widths of the frames it has seen a slope of."""
    widths = []

    class Counted:
        layers, frames_needed, min_side = toy_time.layers, 2, 8

        def __call__(self, clip, layers):
            if clip.requires_grad:
                widths.append(clip.shape[-1])
            return toy_time(clip, layers)

    dice = torch.Generator().manual_seed(1)
    clip = Clip(torch.rand(6, 3, 20, 24, generator=dice), Fraction(25))

    def begin(recipe):
        recipe = recipe.with_settings({"weights.space_texture": 0})
        run = synthesize(clip, temporal=Counted(), recipe=recipe)
        widths.clear()  # of the frame on which the stream is tried
        return run

    return begin, widths


def test_an_estimate_takes_a_few_steps_of_each_octave_of_one_frame(counted):
    begin, widths = counted
    estimate(begin, RECIPE, 6)
    assert widths == [12] * PROBE_STEPS + [24] * PROBE_STEPS


def test_an_estimate_adds_up(counted):
    expected = estimate(counted[0], RECIPE, 6)
    coarse, fine = expected.per_step
    steps = (400 + 5 * 100) * coarse + 6 * 50 * fine
    assert expected.seconds == pytest.approx(steps + 6 * expected.per_frame)
    assert min(coarse, fine) > 0
    assert expected.per_frame >= 0
    assert expected.memory > 2**20


def test_the_steps_of_each_shot_begin_anew(counted):
    expected = estimate(counted[0], RECIPE, 6, shots=(2, 4))
    coarse, fine = expected.per_step
    steps = (2 * 400 + 4 * 100) * coarse + 6 * 50 * fine
    assert expected.seconds == pytest.approx(steps + 6 * expected.per_frame)


def test_shots_that_are_made_at_once_take_time_in_proportion(counted):
    recipe = RECIPE.with_settings({"whole": {}})
    expected = estimate(counted[0], recipe, 6, shots=(2, 4))
    coarse, fine = expected.per_step
    assert expected.seconds == pytest.approx(3 * (400 * coarse + 50 * fine + expected.per_frame))


def test_an_estimate_times_steps_and_what_is_beside_them(counted, monkeypatch):
    """On a clock that goes on by 1 s a coarse step, by 4 s a fine one, and 9 s at the end."""
    begin, widths = counted

    def clock():
        done = 9.0 if len(widths) == 2 * PROBE_STEPS else 0.0
        return sum(1.0 if width == 12 else 4.0 for width in widths) + done

    monkeypatch.setattr("stst.synthesis.estimate.time", SimpleNamespace(perf_counter=clock))
    expected = estimate(begin, RECIPE, 6)
    assert expected.per_step == (1, 4)
    assert expected.per_frame == 9


def test_a_target_that_would_end_each_octave_at_once_can_be_estimated(counted):
    """The probe takes its steps whatever stops the run, whose time it then bounds."""
    begin, widths = counted
    recipe = RECIPE.with_settings({"stop": {"tolerance": 1e9}})
    expected = estimate(begin, recipe, 6)
    assert widths == [12] * PROBE_STEPS + [24] * PROBE_STEPS
    run = begin(recipe)
    assert len(run) == 400 + 5 * 100 + 6 * 50 + 6  # the most there can be
    assert len(list(run)) == 6
    coarse, fine = expected.per_step
    steps = (400 + 5 * 100) * coarse + 6 * 50 * fine
    assert expected.seconds == pytest.approx(steps + 6 * expected.per_frame)


def test_an_estimate_leaves_no_trace(counted, globals_unchanged):
    run = partial(counted[0], RECIPE.with_settings({"octaves.0.steps": 2, "octaves.1.steps": 2}))
    before = run().result().clip.frames
    estimate(counted[0], RECIPE, 6)
    assert run().result().clip.frames.equal(before)
