"""Octaves that end early: when, after how many steps, with which frame."""

import pytest
import torch

from stst.errors import Diverged
from stst.losses.objective import LayerTarget
from stst.recipe import Recipe
from stst.synthesis.refine import refine
from stst.synthesis.stream_losses import StreamLosses

STOP = {"tolerance": 0.0, "improvement": 0.0, "every": 4}


def frames(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def refined(window, target, sides, how, index=0):
    """All steps, and the frame that they end in."""
    steps, run = [], refine(window, target, sides, how, index)
    with torch.no_grad():
        while True:
            try:
                steps.append(next(run))
            except StopIteration as end:
                return steps, end.value


def stopping(steps=19, optimiser=None, octaves=None, **stop):
    """A recipe whose rounds have `steps`; by default nothing but a loss of 0 would stop it."""
    return Recipe(
        octaves=octaves or [{"steps": steps, "rate": 0.003}],
        optimiser=optimiser or {},
        stop=STOP | stop,
    )


@pytest.fixture
def sides(toy_space, toy_time):
    return (
        StreamLosses(toy_space, (LayerTarget("space_texture", ("toy",)),)),
        StreamLosses(toy_time, (LayerTarget("time_texture", ("toy",)),)),
    )


@pytest.fixture
def target():
    return dict.fromkeys(("space_texture", "time_texture"), frames(1, 2, 3, 24, 20, seed=2))


def test_an_octave_that_starts_on_its_target_takes_no_step(sides, target):
    window = target["time_texture"].clone()
    for octaves in ([{"steps": 9}], [{"scale": 0.5, "steps": 9}, {"steps": 9}]):
        steps, frame = refined(window, target, sides, stopping(octaves=octaves, tolerance=0.01))
        assert steps == []
        torch.testing.assert_close(frame, window[:, 1])


@pytest.mark.parametrize("method", ["normalised", "adam", "lbfgs"])
def test_an_octave_that_cannot_get_there_takes_all_its_steps(sides, target, method):
    how = stopping(steps=11, optimiser={"method": method})
    steps, _ = refined(frames(1, 2, 3, 24, 20), target, sides, how)
    assert [step.step for step in steps] == list(range(11))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_an_octave_ends_where_a_round_brings_too_little(sides, target, steps):
    window, how = frames(1, 2, 3, 24, 20), stopping(steps, improvement=0.9, rounds=9)
    assert len(refined(window, target, sides, how)[0]) == steps


@pytest.mark.parametrize("rounds", [1, 2, 5])
@pytest.mark.parametrize("improvement", [0.0, 0.02, 0.2])
def test_steps_come_in_whole_rounds_up_to_the_last(sides, target, rounds, improvement):
    for steps in (0, 1, 7):
        how = stopping(steps, improvement=improvement, rounds=rounds)
        taken = len(refined(frames(1, 2, 3, 24, 20), target, sides, how)[0])
        assert taken <= rounds * steps
        assert taken % max(steps, 1) == 0


@pytest.mark.parametrize("decay", ["cosine", "constant"])
def test_each_round_has_the_rates_of_a_whole_octave(sides, target, decay):
    optimiser = {"method": "normalised", "decay": decay}  # which remembers nothing
    window = frames(1, 2, 3, 24, 20)
    twice, frame = refined(window, target, sides, stopping(6, optimiser, rounds=2))
    for _ in range(2):
        found = refined(window, target, sides, stopping(6, optimiser))[1]
        window = torch.stack((window[:, 0], found), 1)
    assert len(twice) == 12
    torch.testing.assert_close(frame, found, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["normalised", "adam", "lbfgs"])
def test_the_frame_that_comes_out_is_the_one_that_was_judged(toy_space, target, method):
    """Not the one a step further, which was found together with its losses."""
    judged = []

    def stream(clip, layers):
        if clip.requires_grad:
            judged.append(clip.detach()[:, -1])
        return toy_space(clip, layers)

    one = (StreamLosses(stream, (LayerTarget("space_texture", ("toy",), "power"),)),)
    optimiser = {"method": method, "decay": "constant"}
    window = frames(1, 2, 3, 24, 20)
    start = refined(window, target, one, stopping(steps=1))[0][0].losses["space_texture"]
    how = stopping(steps=99, optimiser=optimiser, tolerance=start.sqrt().item() / 2)
    steps, frame = refined(window, target, one, how)
    assert 0 < len(steps) < 99
    assert any(frame.equal(each) for each in judged)
    for more in (0, 1):
        bound = stopping(steps=len(steps) + more, optimiser=optimiser)
        assert refined(window, target, one, bound)[1].equal(frame) is (more == 0)


@pytest.mark.parametrize("tolerance", [0.8, 0.6])
def test_an_octave_ends_at_the_look_that_finds_it_near_its_target(sides, target, tolerance):
    window, bound = frames(1, 2, 3, 24, 20), 99
    free, _ = refined(window, target, sides, stopping(steps=bound))
    largest = [
        max(step.losses[name].item() for name in ("space_texture", "time_texture")) ** 0.5
        for step in free
    ]
    wanted = next(i for i in range(0, bound, 4) if largest[i] <= tolerance * largest[0])
    how = stopping(steps=bound, tolerance=tolerance * largest[0])
    assert len(refined(window, target, sides, how)[0]) == wanted > 0


def test_only_the_last_octave_must_come_as_near_as_the_tolerance_says(sides, target):
    window, pair = frames(1, 2, 3, 24, 20), [{"steps": 1}, {"steps": 9}]
    losses = refined(window, target, sides, stopping(steps=1))[0][0].losses
    root = max(losses[name].item() for name in ("space_texture", "time_texture")) ** 0.5
    for tolerance, octaves in ((0.6 * root, {1}), (0.4 * root, {0, 1})):
        steps, _ = refined(window, target, sides, stopping(octaves=pair, tolerance=tolerance))
        assert {step.octave for step in steps} == octaves


@pytest.mark.parametrize("value", [torch.nan, 1e30])
@pytest.mark.parametrize("k", [0, 3, 4, 8])
def test_a_loss_that_is_no_number_is_refused_between_rounds_too(toy_time, target, k, value):
    """It must neither count as near, nor as a round that brought too little."""
    calls = iter(range(99))

    def stream(clip, layers):
        spoiled = clip.requires_grad and next(calls) == k
        return {name: a * (value if spoiled else 1) for name, a in toy_time(clip, layers).items()}

    sides = (StreamLosses(stream, (LayerTarget("time_texture", ("toy",)),)),)
    with pytest.raises(Diverged, match=rf"octave 0, step {k}\. Lower"):
        refined(frames(1, 2, 3, 24, 20), target, sides, stopping(steps=4, rounds=5))
