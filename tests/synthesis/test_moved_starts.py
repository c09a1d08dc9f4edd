"""Starts of later frames, moved as the natural clip moves."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from small_clips import framewise
from stst.losses.objective import LayerTarget
from stst.recipe import Recipe
from stst.stimuli.stimulus import pink_noise
from stst.synthesis.framewise import FrameDone
from stst.synthesis.jointly import opening_frames
from stst.synthesis.starts import FrameSource, backward_flow, warp
from stst.synthesis.stream_losses import StreamLosses
from stst.video.frames import Clip


def recipe(**start):
    """No steps: what is made is what frames start from."""
    start = {"noise": "uniform", "warp": "dense"} | start
    return Recipe.parse({"octaves": [{"steps": 0}], "pad": 1, "start": start})


def panned(frames, speed=3, side=48, seed=0):
    """A smooth texture that moves to the right by whole px a frame: (T, 3, side, side)."""
    rng = np.random.default_rng(seed)
    wide = np.stack([pink_noise((side, side + 32), rng, slope=1.5) for _ in range(3)])
    wide = torch.from_numpy(0.5 + 0.15 * wide / wide.std()).float().clamp(0, 1)
    begins = [16 - speed * i for i in range(frames)]
    return torch.stack([wide[..., x : x + side] for x in begins])


def unrefined(frames, loop):
    """What a clip that is made as a whole starts from: each frame's noise of its own."""
    clip = Clip(panned(frames, speed=2), Fraction(25))
    whole = recipe(warp="affine").with_settings({"whole": {"loop": loop}})
    source = FrameSource(
        {"time_texture": (clip,)},
        range(frames),
        whole,
        lambda t: torch.lerp(torch.tensor(0.5), panned(1, seed=5 + t), 0.6),
        None,
        None,
        "cpu",
    )
    return opening_frames(source)[0]


def moves_along(done, speed=3):
    """Whether each finished frame is the one before it, moved to the right by `speed` px."""
    gaps = [
        (b.frame[..., speed:] - a.frame[..., :-speed])[..., 12:-12, 12:-12].abs().max()
        for a, b in pairwise(done)
    ]
    return max(gaps) < 0.03


@pytest.fixture
def starts(toy_space, toy_time):
    """``starts(recipe, space=..., time=...)``: the frames of a walk that takes no step."""
    sides = (
        StreamLosses(toy_space, (LayerTarget("space_texture", ("toy",)),)),
        StreamLosses(toy_time, (LayerTarget("time_texture", ("toy",)),)),
    )

    def run(how, space, time):
        clips = {"space_texture": space, "time_texture": time}
        targets = {loss: Clip(frames, Fraction(25)) for loss, frames in clips.items()}
        first = panned(1, seed=5)  # the noise, as smooth as a frame that is finished
        with torch.no_grad():
            events = list(
                framewise({k: (v,) for k, v in targets.items()}, sides, how, lambda _: first)
            )
        return [event for event in events if isinstance(event, FrameDone)]

    return run


@pytest.mark.parametrize("warp", ["affine", "dense"])
def test_a_frame_starts_from_the_one_before_moved_as_the_target_moves(starts, warp):
    clip = panned(4)
    done = starts(recipe(warp=warp), clip, clip)
    assert [each.index for each in done] == [0, 1, 2, 3]
    assert moves_along(done)
    still = starts(recipe(warp="none"), clip, clip)
    assert not moves_along(still)
    assert all(each.frame.equal(still[0].frame) for each in still)


@pytest.mark.parametrize(
    "planted",
    [
        lambda before, after: backward_flow(after, before),
        lambda before, after: backward_flow(before, after).flip(1),
        lambda before, after: backward_flow(before, before),
    ],
)
def test_the_test_of_moved_starts_catches_a_wrong_flow(starts, planted, monkeypatch):
    monkeypatch.setattr("stst.synthesis.starts.backward_flow", planted)
    assert not moves_along(starts(recipe(), panned(4), panned(4)))


def test_it_is_the_temporal_target_that_says_how_a_frame_moves(starts):
    still = panned(1).expand(4, -1, -1, -1)
    assert moves_along(starts(recipe(), still, panned(4)))
    assert not moves_along(starts(recipe(), panned(4), still))


def test_without_a_temporal_target_nothing_moves(toy_space):
    sides = (StreamLosses(toy_space, (LayerTarget("space_texture", ("toy",)),)),)
    targets = {"space_texture": (Clip(panned(4), Fraction(25)),)}
    with torch.no_grad():
        events = list(framewise(targets, sides, recipe(), lambda _: panned(1, seed=5)))
    first, *others = [event.frame for event in events if isinstance(event, FrameDone)]
    assert all(frame.equal(first) for frame in others)


def test_a_moved_frame_is_blended_with_noise_as_one_that_is_not(starts):
    clip = panned(2)
    moved, blended = (starts(recipe(**more), clip, clip) for more in ({}, {"blend": 0.75}))
    oracle = 0.75 * moved[1].frame + 0.25 * panned(1, seed=5)
    torch.testing.assert_close(blended[1].frame, oracle)


def test_an_affine_start_moves_as_a_whole_and_a_dense_one_where_the_target_moves(starts):
    clip = panned(2)
    clip[1, :, 20:] = clip[0, :, 20:]  # the lower part stands still
    affine, dense = (starts(recipe(warp=warp), clip, clip) for warp in ("affine", "dense"))
    change = [(done[1].frame - done[0].frame)[0, :, 32:].abs().mean() for done in (affine, dense)]
    assert change[1] < 0.1 * change[0]


def streaks(frames, width=12):
    """Share of the slope along the motion, near the border that frames come in at."""
    border = frames[..., :width]
    return (border.diff(dim=-1).abs().mean() / border.diff(dim=-2).abs().mean()).item()


def test_noise_that_is_moved_again_and_again_is_not_drawn_into_streaks(monkeypatch):
    assert streaks(unrefined(8, loop=False)[-1]) > 0.8

    def mirrored(frames, flow):
        wide = F.pad(frames, (8,) * 4, mode="replicate")
        return warp(wide, F.pad(flow, (8,) * 4, mode="replicate"))[..., 8:-8, 8:-8]

    monkeypatch.setattr("stst.synthesis.starts.warp", mirrored)  # the planted fault
    assert streaks(unrefined(8, loop=False)[-1]) < 0.7


def seam_fits(frames):
    """Whether the first frame differs from the last no more than neighbours do."""
    changes = (frames[..., 24:] - frames.roll(1, 0)[..., 24:]).abs().mean((1, 2, 3))
    return bool(changes[0] <= changes[1:].max())


def test_a_loop_starts_without_a_seam():
    assert seam_fits(unrefined(8, loop=True))
    assert not seam_fits(unrefined(8, loop=False))  # the planted fault
