"""All frames in order: noise, padding, starts, schedules, and going on after a stop."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from small_clips import framewise
from stst.errors import FramesError, RecipeError
from stst.losses.functional import periodic as whole
from stst.losses.objective import LayerTarget
from stst.recipe import Recipe
from stst.synthesis.framewise import FrameDone, frame_order
from stst.synthesis.refine import Step, transfer_colours
from stst.synthesis.starts import matched_noise, noise, scrambled_noise
from stst.synthesis.stream_losses import StreamLosses
from stst.video.frames import Clip

SHAPE = (3, 16, 20)


def recipe(**settings):
    return Recipe.parse({"octaves": [{"steps": 2, "rate": 0.01}]} | settings)


def natural(frames=5, seed=1):
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(frames, *SHAPE, generator=dice)


def film(frames):
    return Clip(frames, Fraction(25))


def fresh(transition):
    return noise(0, transition, SHAPE)[None]


@pytest.fixture
def events(toy_space, toy_time):
    """``events(recipe, ...)``: all events of a walk along five frames."""
    sides = (
        StreamLosses(toy_space, (LayerTarget("space_texture", ("toy",)),)),
        StreamLosses(toy_time, (LayerTarget("time_texture", ("toy",)),)),
    )

    def run(how, frames=None, **more):
        frames = natural() if frames is None else frames
        targets = dict.fromkeys(("space_texture", "time_texture"), (film(frames),))
        with torch.no_grad():
            return list(framewise(targets, sides, how, more.pop("fresh", fresh), **more))

    return run


def made(events):
    return [event for event in events if isinstance(event, FrameDone)]


@given(seed=st.integers(), index=st.integers(0, 10**9))
def test_noise_depends_on_seed_and_index_alone(seed, index):
    first = noise(seed, index, SHAPE)
    torch.rand(3)
    assert noise(seed, index, SHAPE).equal(first)
    assert not noise(seed, index + 1, SHAPE).equal(first)
    assert not noise(seed + 1, index, SHAPE).equal(first)
    assert 0 <= first.min() <= first.max() <= 1


def test_noise_leaves_the_callers_generator_alone(globals_unchanged):
    assert noise(1, 2, SHAPE).dtype == torch.float32
    assert 0.45 < noise(1, 2, (3, 64, 64)).mean() < 0.55


@given(frames=st.integers(1, 9), pad=st.integers(1, 9))
def test_pad_frames_lead_to_the_first(frames, pad):
    mirror, authors = (recipe(pad=pad, pad_order=order) for order in ("mirror", "authors"))
    if frames <= pad:
        with pytest.raises(FramesError, match=f"needs at least {pad + 1}"):
            frame_order(frames, mirror)
        to_and_fro = frame_order(frames, mirror, to_and_fro=True)
        assert len(to_and_fro) == pad + frames
        assert all(abs(a - b) == 1 for a, b in pairwise(to_and_fro)) or frames == 1
        return
    kept = list(range(frames))
    assert frame_order(frames, authors) == [*range(1, pad + 1), *kept]
    order = frame_order(frames, mirror)
    assert order[pad:] == kept
    assert all(abs(a - b) == 1 for a, b in pairwise(order))  # no jump cut


@given(frames=st.integers(1, 5), pad=st.integers(0, 5), span=st.integers(2, 4))
def test_what_an_error_about_padding_advises_helps(frames, pad, span):
    try:
        frame_order(frames, recipe(pad=pad), span)
    except (FramesError, RecipeError) as error:
        advice = str(error).rpartition("et pad=")[2].split()
        if advice and frames >= span:
            better = int(advice[0].rstrip("."))
            assert frame_order(frames, recipe(pad=better), span)[better:] == list(range(frames))


@pytest.mark.parametrize("seed", [1, 2])
def test_matched_noise_has_the_frames_mean_and_covariance(seed):
    dice = torch.Generator().manual_seed(seed)
    mixing = 0.08 * torch.randn(3, 3, generator=dice)
    frame = torch.einsum("ij,jhw->ihw", mixing, torch.randn(3, 64, 64, generator=dice))[None] + 0.5
    found = matched_noise(noise(1, seed, (1, 3, 200, 200)), frame)[0].flatten(1)
    wanted = frame[0].flatten(1)
    torch.testing.assert_close(found.mean(1), wanted.mean(1), atol=0.01, rtol=0)
    torch.testing.assert_close(torch.cov(found), torch.cov(wanted), atol=0.003, rtol=0)
    assert torch.cov(wanted).abs().max() > 0.01


def test_matched_noise_is_coloured_by_the_one_symmetric_root():
    """Other roots would do, but which one an eigensolver gives differs by machine."""
    frame = 0.4 + 0.2 * natural()[:1]
    frame[:, 1] = 0.5 * (frame[:, 0] + frame[:, 1])
    colours = frame[0].flatten(1).numpy().astype(float)
    root = sqrtm(np.cov(colours, bias=True))
    random = fresh(0)
    white = (random[0].flatten(1).numpy() - 0.5) * np.sqrt(12)
    oracle = colours.mean(1, keepdims=True) + root @ white
    np.testing.assert_allclose(matched_noise(random, frame)[0].flatten(1), oracle, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_matched_noise_of_a_constant_frame_is_constant(value):
    found = matched_noise(noise(1, 0, (2, 3, 9, 9)), torch.full((1, 3, 9, 9), value))
    torch.testing.assert_close(found, torch.full((2, 3, 9, 9), value), atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(24, 31), (25, 32)])
def test_scrambled_noise_has_the_frames_amplitudes_and_no_phases_of_it(size):
    frame = painted(size)
    found = scrambled_noise(noise(1, 0, (2, 3, *size)), frame)
    moved, own = (np.fft.fft2(x) for x in (found.numpy(), whole(frame[0].numpy(), (1, 2))))
    moved[..., 0, 0] = own[..., 0, 0] = 0  # the mean is tested below
    shape, wanted = (
        np.abs(x) / np.linalg.norm(x, axis=(-2, -1))[..., None, None] for x in (moved, own)
    )
    np.testing.assert_allclose(shape, np.broadcast_to(wanted, shape.shape), atol=1e-4)
    turned = np.angle(moved * own.conj())[..., 1:, 1:]
    np.testing.assert_allclose(np.cos(turned - turned[:, :1]), 1, atol=1e-3)  # R, G and B alike
    assert abs(np.exp(1j * turned[:, 0]).mean((1, 2))).max() < 0.1
    assert abs(np.exp(1j * (turned[0, 0] - turned[1, 0])).mean()) < 0.1  # each its own


def test_scrambled_noise_has_the_frames_mean_and_contrast():
    frame = painted((24, 31))
    found = scrambled_noise(noise(1, 0, (2, 3, 24, 31)), frame)
    torch.testing.assert_close(found.mean((2, 3)), frame.mean((2, 3)).expand(2, -1))
    torch.testing.assert_close(
        found.std((2, 3), correction=0), frame.std((2, 3), correction=0).expand(2, -1)
    )


def painted(size):
    """Noise about grey, whose channels are not independent, and whose borders do not meet."""
    dice = np.random.default_rng(2)
    values = 0.05 * dice.standard_normal((3, *size)) + np.linspace(0, 0.2, size[1])
    values[1] = 0.5 * (values[0] + values[1])
    return torch.from_numpy(0.4 + values).float()[None]


def test_scrambled_noise_of_a_frame_without_colour_has_none():
    found = scrambled_noise(
        noise(1, 0, (1, 3, 9, 9)), fresh(1)[:, :1].expand(1, 3, -1, -1)[..., :9, :9]
    )
    assert (found[:, 1:] - found[:, :1]).abs().max() < 1e-6


def test_motion_alone_starts_without_the_amplitudes_of_its_target():
    default = Recipe.preset("default")
    assert default.start.noise == "scrambled"
    assert default.with_losses("time_texture").start.noise == "matched"
    assert default.with_losses("space_texture").start.noise == "scrambled"
    authors = Recipe.preset("greco2024").with_losses("time_texture")
    assert authors.start.noise == "uniform"


def test_frames_come_in_order_and_steps_before_them(events):
    how = recipe(octaves=[{"scale": 0.5, "steps": [3, 1]}, {"steps": [0, 2]}])
    seen = events(how)
    assert [done.index for done in made(seen)] == [-1, 0, 1, 2, 3, 4]
    steps = [[] for _ in range(7)]
    for event in seen:
        if isinstance(event, Step):
            steps[event.transition].append(event.octave)
        else:
            assert event.state.transition == event.index + how.pad + 1
    assert steps[:3] == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]
    assert len(seen) - 6 == how.count_steps(range(6)) == 3 + 5 * 3


def test_a_frame_starts_from_the_blend_of_the_one_before_and_noise(events):
    idle = {"octaves": [{"steps": 0}], "pad": 1}
    uniform = made(events(recipe(**idle, start={"noise": "uniform", "blend": 0.75})))
    assert uniform[0].frame.equal(fresh(1))  # the pad frame 0 is noise too
    torch.testing.assert_close(uniform[1].frame, 0.75 * fresh(1) + 0.25 * fresh(2))
    torch.testing.assert_close(uniform[2].frame, 0.75 * uniform[1].frame + 0.25 * fresh(3))
    still = made(events(recipe(**idle, start={"blend": 1})))
    assert all(done.frame.equal(still[0].frame) for done in still)
    order = frame_order(5, recipe(**idle))
    torch.testing.assert_close(still[0].frame, matched_noise(fresh(1), natural()[order[1]][None]))


def test_a_frame_starts_from_the_clip_that_is_given(events):
    clip = natural(seed=7)
    seen = made(events(recipe(octaves=[{"steps": 0}], pad=2), start=film(clip)))
    found = torch.cat([done.frame for done in seen if done.index >= 0])
    assert found.equal(clip)


def test_residuals_are_0_where_the_target_is_found_again(events):
    seen = made(events(recipe(octaves=[{"steps": 0}]), start=film(natural())))
    assert set(seen[-1].residuals) == {"space_texture/toy", "time_texture/toy"}
    assert all(value.item() < 1e-6 for value in seen[-1].residuals.values())
    other = made(events(recipe(octaves=[{"steps": 0}]), start=film(natural(seed=7))))
    assert all(value.item() > 1e-3 for value in other[-1].residuals.values())


def test_each_finished_frame_takes_the_colours_of_its_own(events):
    idle = {"octaves": [{"steps": 0}], "pad": 1, "start": {"noise": "uniform"}}
    how = recipe(**idle, colour={"after": "frame"})
    seen, frame, order = made(events(how)), fresh(1), frame_order(5, how)
    for done, k in zip(seen, order[1:], strict=True):
        frame = transfer_colours(frame, {"space_texture": natural()[k][None, None]}, how)
        assert done.frame.equal(frame)


def test_more_than_two_frames_can_be_looked_at_together():
    shown = []

    def stream(clip, layers):
        shown.append(clip.detach().clone())
        return dict.fromkeys(layers, clip.flatten(1, 2))

    target, how = natural(), recipe(octaves=[{"steps": 1}], pad=2)
    sides = (StreamLosses(stream, (LayerTarget("time_texture", ("all",)),)),)
    with torch.no_grad():
        seen = list(framewise({"time_texture": (film(target),)}, sides, how, fresh, span=3))
    assert [done.index for done in made(seen)] == [0, 1, 2, 3, 4]
    assert shown[0].shape == (1, 3, *SHAPE)
    assert shown[0][0].equal(target[[2, 1, 0]])  # the first window of the target
    finished = [done.frame for done in made(seen)]
    assert made(seen)[2].state.history.equal(torch.stack(finished[1:3], 1))
    with pytest.raises(RecipeError, match=r"pad=1 is too small.*first 2 frame.*Set pad=2"):
        next(framewise({"time_texture": (film(target),)}, sides, recipe(pad=1), fresh, span=3))


@pytest.mark.parametrize("method", ["normalised", "adam"])
@pytest.mark.parametrize("cut", range(1, 6))
def test_going_on_from_any_state_leaves_no_trace(events, cut, method):
    how = recipe(
        optimiser={"method": method}, start={"blend": 0.9}, weights={"time_texture": [1, 2]}
    )
    whole = events(how)
    before = whole[: whole.index(made(whole)[cut - 1]) + 1]
    again = events(how, finished=iter(before))
    assert again[: len(before)] == before
    assert [type(event) for event in again] == [type(event) for event in whole]
    for a, b in zip(made(again), made(whole), strict=True):
        assert a.index == b.index
        assert a.frame.numpy().tobytes() == b.frame.numpy().tobytes()


def test_noise_from_a_generator_in_sequence_would_leave_a_trace(events):
    """The planted bug that the test above must catch."""

    def in_sequence():
        dice = torch.Generator().manual_seed(0)
        return lambda transition: torch.rand(1, *SHAPE, generator=dice)

    how = recipe(start={"blend": 0.9})
    whole = made(events(how, fresh=in_sequence()))
    again = made(events(how, fresh=in_sequence(), finished=whole[:3]))
    assert not again[-1].frame.equal(whole[-1].frame)
