"""Flow of the natural clip, and frames moved along it: where to, how far, within what."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stst.stimuli.stimulus import pink_noise
from stst.synthesis.starts import MIN_SIDE, affine, backward_flow, scrambled_flow, warp

HEIGHT, WIDTH, EDGE = 80, 96, 16
SHIFTS = [(0, 0), (1, 0), (0, -2), (3, 2), (-4, 1), (7, -6)]  # px to the right, down
amounts = st.floats(-40, 40)


def canvas(seed=0):
    """A texture with the spectrum of photographs, wider than the frames cut from it."""
    rng = np.random.default_rng(seed)
    wide = np.stack([pink_noise((HEIGHT + 32, WIDTH + 32), rng) for _ in range(3)])
    return torch.from_numpy(0.5 + 0.15 * wide / wide.std()).float().clamp(0, 1)


def moved(shift, seed=0):
    """The same texture, moved by whole px: (1, 3, H, W)."""
    right, down = shift
    x, y = 16 - right, 16 - down
    return canvas(seed)[None, :, y : y + HEIGHT, x : x + WIDTH]


def inner(frames):
    return frames[..., EDGE:-EDGE, EDGE:-EDGE]


def even(right, down, height=HEIGHT, width=WIDTH):
    """The same displacement everywhere: (1, 2, H, W)."""
    return (
        torch.tensor([right, down], dtype=torch.float32)
        .view(1, 2, 1, 1)
        .expand(1, 2, height, width)
    )


def looks_back(flow, shift, seed=0):
    """Whether it leads from what has moved by the shift to where it was, to 0.3 px."""
    found = inner(flow(moved((0, 0), seed), moved(shift, seed)))
    return bool(((found + inner(even(*shift))).abs() <= 0.3).all())


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("shift", SHIFTS)
def test_the_flow_leads_back_to_where_a_texture_was(shift, seed):
    assert looks_back(backward_flow, shift, seed)


PLANTED = {
    "frames swapped": lambda before, after: backward_flow(after, before),
    "axes swapped": lambda before, after: backward_flow(before, after).flip(1),
    "no flow": lambda before, after: torch.zeros_like(before[:, :2]),
    "half of it": lambda before, after: backward_flow(before, after) / 2,
}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_flows_test_catches_a_wrong_one(planted):
    assert not looks_back(PLANTED[planted], (3, 2))


def follows(shift, flow=backward_flow, move=warp):
    """Whether a frame moved along the flow is the later frame, away from the edges."""
    before, after = moved((0, 0)), moved(shift)
    gap = inner(move(before, flow(before, after)) - after).abs()
    return gap.mean() < 0.005 and gap.max() < 0.1


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_frame_moved_along_the_flow_is_the_later_one(shift):
    assert follows(shift)


@pytest.mark.parametrize("planted", PLANTED)
def test_the_test_of_moving_catches_a_wrong_flow(planted):
    assert not follows((3, 2), flow=PLANTED[planted])


@pytest.mark.parametrize(
    "planted",
    [
        lambda frames, flow: warp(frames, -flow),
        lambda frames, flow: warp(frames, flow.flip(1)),
        lambda frames, flow: frames,
    ],
)
def test_the_test_of_moving_catches_a_wrong_move(planted):
    assert not follows((3, 2), move=planted)


def test_a_flow_of_0_is_the_identity():
    frames = torch.rand(2, 3, 33, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(warp(frames, even(0, 0, 33, 20)), frames, atol=1e-5, rtol=0)


@given(right=st.integers(-50, 50), down=st.integers(-50, 50))
def test_whole_px_are_moved_as_they_are_and_come_in_on_the_other_side(right, down):
    frame = torch.rand(1, 3, 21, 24, generator=torch.Generator().manual_seed(0))
    found = warp(frame, even(-right, -down, 21, 24))
    torch.testing.assert_close(found, frame.roll((down, right), (-2, -1)), atol=1e-4, rtol=0)


def scattered(height=40, width=60, seed=3):
    """A flow of a patch that moves over a ground that stands, and noise."""
    flow = torch.zeros(1, 2, height, width)
    flow[:, 0, 10:25, 10:35], flow[:, 1, 10:25, 10:35] = 3.0, -1.0
    dice = torch.Generator().manual_seed(seed)
    flow += 0.01 * torch.randn(flow.shape, generator=dice)
    return flow, torch.rand(2, 3, height, width, generator=dice)


def test_a_flow_elsewhere_has_the_same_speeds_and_directions():
    flow, noise = scattered()
    found = scrambled_flow(flow, noise)
    assert found.shape == (2, 2, 40, 60)
    for one in found:
        torch.testing.assert_close(one.flatten(1).sort(-1)[0], flow[0].flatten(1).sort(-1)[0])
    fast = found[:, 0] > 1.5
    assert (found[:, 1][fast] < -0.5).float().mean() > 0.9  # components go together


def test_a_flow_elsewhere_tells_no_place_and_moves_as_the_flow_moves():
    flow, noise = scattered()
    there = flow[0, 0] > 1.5
    elsewheres = [scrambled_flow(flow, scattered(seed=seed)[1])[:, 0] > 1.5 for seed in range(8)]
    overlap = [fast[:, there].float().mean() for fast in elsewheres]
    assert np.mean(overlap) < 2 * there.float().mean()
    off = (scrambled_flow(flow.roll(4, -1), noise) - scrambled_flow(flow, noise).roll(4, -1)).abs()
    assert (off > 0.05).float().mean() < 0.005  # rounding changes who is first of near equals
    still = torch.zeros_like(flow)
    assert scrambled_flow(still, noise).abs().max() == 0


def test_fractions_of_px_are_interpolated():
    x = torch.arange(40.0)
    wave = (0.5 + 0.4 * torch.sin(x / 4)).expand(1, 3, 16, 40)
    wanted = (0.5 + 0.4 * torch.sin((x - 0.3) / 4)).expand(1, 3, 16, 40)
    found = warp(wave, even(-0.3, 0, 16, 40))
    assert (found - wanted)[..., 3:-3].abs().max() < 0.01


@given(right=amounts, down=amounts)
def test_frames_stay_in_range(right, down):
    steps = (torch.rand(1, 3, 17, 19, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    found = warp(steps, even(right, down, 17, 19))
    assert 0 <= found.min() <= found.max() <= 1


def test_each_pair_of_a_batch_has_its_own_flow():
    before = torch.cat([moved((0, 0), seed) for seed in (0, 1)])
    after = torch.cat([moved((3, 2), 0), moved((-4, 1), 1)])
    both = backward_flow(before, after)
    for i in range(2):
        assert both[i : i + 1].equal(backward_flow(before[i : i + 1], after[i : i + 1]))


def test_one_flow_moves_all_frames_of_a_batch_as_it_moves_each():
    frames, flow = torch.cat([moved((0, 0), seed) for seed in (0, 1)]), even(2.4, -1)
    together = warp(frames, flow)
    for i in range(2):
        assert together[i : i + 1].equal(warp(frames[i : i + 1], flow))


numbers = st.lists(st.floats(-2, 2), min_size=6, max_size=6)


def linear(six, height, width):
    """An affine flow of these six numbers: (1, 2, H, W)."""
    y, x = np.mgrid[:height, :width]
    places = np.stack([np.ones((height, width)), x, y])
    return torch.from_numpy(np.tensordot(np.reshape(six, (2, 3)), places, 1)).float()[None]


def textured(height, width, count=1):
    """Frames with contours everywhere: (count, 3, H, W)."""
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@given(six=numbers, height=st.integers(2, 40), width=st.integers(2, 40))
def test_an_affine_flow_is_its_own_affine_part(six, height, width):
    flow = linear(six, height, width)
    for frame in (textured(height, width), torch.full((1, 3, height, width), 0.5)):
        torch.testing.assert_close(affine(flow, frame), flow, atol=1e-3, rtol=1e-4)


@given(six=numbers)
def test_what_a_plain_field_seems_to_do_has_little_say(six):
    """Optical flow is a guess there, of which the frame shows nothing."""
    flow, frame = linear(six, 40, 40), textured(40, 40)
    frame[..., :20] = 0.5
    guessed = flow.clone()
    guessed[..., :20] = torch.randn(1, 2, 40, 20, generator=torch.Generator().manual_seed(1)) * 9
    even = (affine(guessed, textured(40, 40)) - flow).abs().mean()  # all of it is contours
    assert (affine(guessed, frame) - flow).abs().mean() < max(even / 2, 0.05)


def test_motion_along_contours_is_that_which_is_seen_elsewhere():
    """Stripes show no motion along themselves, whatever the flow says (aperture problem)."""
    stripes = (0.5 + 0.4 * torch.sin(torch.arange(48) / 2)).expand(1, 3, 48, 48)
    bands = (torch.arange(48) // 6 % 2 == 0)[:, None]  # there, both directions are seen
    frame = torch.where(bands, textured(48, 48), stripes)
    true, guessed = even(2, 3, 48, 48), even(2, 3, 48, 48).clone()
    guessed[:, 1] *= bands
    assert (affine(guessed, frame) - true).abs().mean() < 0.25
    assert (affine(guessed, textured(48, 48)) - true).abs().mean() > 0.75


@given(six=numbers, right=st.floats(3, 8), down=st.floats(3, 8))
def test_a_fifth_that_moves_otherwise_has_little_say(six, right, down):
    flow = linear(six, 30, 40)
    strayed = flow.clone()
    strayed[..., 8:20, 12:32] += torch.tensor([right, down]).view(1, 2, 1, 1)
    places = np.stack([np.ones(1200), *np.mgrid[:30, :40].reshape(2, -1)], 1)
    fit, *_ = np.linalg.lstsq(places, strayed.flatten(2)[0].numpy().T, rcond=None)
    squares = np.abs((places @ fit).T - flow.flatten(2)[0].numpy()).mean()
    assert (affine(strayed, textured(30, 40)) - flow).abs().mean() < squares / 3


def test_the_affine_part_shows_no_border_of_what_moves():
    flow = even(0, 0).clone()
    flow[..., 20:60, 20:60] = 4
    found = affine(flow, textured(*flow.shape[-2:]))
    assert torch.linalg.matrix_norm(found.diff(n=2, dim=-1)).max() < 1e-4


def test_each_flow_of_a_batch_has_its_own_affine_part():
    flows = torch.randn(3, 2, 12, 15, generator=torch.Generator().manual_seed(0))
    frames = textured(12, 15, 3)
    each = [affine(flow[None], frame[None]) for flow, frame in zip(flows, frames, strict=True)]
    torch.testing.assert_close(affine(flows, frames), torch.cat(each))


@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_frames_too_small_for_a_flow_are_not_moved(height, width):
    dice = torch.Generator().manual_seed(1)
    before, after = torch.rand(2, 1, 3, height, width, generator=dice)
    flow = backward_flow(before, after)
    assert flow.shape == (1, 2, height, width)
    assert torch.isfinite(flow).all()
    if min(height, width) < MIN_SIDE:
        assert not flow.any()
        torch.testing.assert_close(warp(before, flow), before, atol=1e-5, rtol=0)


def test_frames_without_contrast_are_not_moved():
    grey = torch.full((1, 3, 32, 32), 0.5)
    assert not backward_flow(grey, grey).any()


def test_the_frames_are_left_as_they_were(globals_unchanged):
    before, after = moved((0, 0)).clone(), moved((3, 2)).clone()
    kept = before.clone()
    assert warp(before, backward_flow(before, after)).dtype == torch.float32
    assert before.equal(kept)
