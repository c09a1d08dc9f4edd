import importlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

textures = importlib.import_module("textures")
moving = importlib.import_module("moving_textures")
heldout = importlib.import_module("heldout_motion")

SIDE = 48
seeds = st.integers(0, 2**32 - 1)


def smooth_layer(rng, motion):
    """Low-passed noise, so that the oracle's spline interpolation is exact enough."""
    field = np.clip(0.5 + 0.15 * textures.noise(rng, 0.5, cutoff=0.06), 0, 1)
    canvas = torch.from_numpy(field.astype(np.float32))[None, None]
    return moving.Layer(canvas, motion, *moving.random_placement(rng))


def mismatch(pair, flow):
    """How far frame 2, fetched back along the flow, is from frame 1; 1 = unrelated."""
    first, second = pair.numpy()
    right, up = flow.numpy()
    rows, columns = np.mgrid[: first.shape[0], : first.shape[1]]
    at = np.stack([rows - up, columns + right])
    inside = ((at >= 2) & (at <= SIDE - 3)).all(0)
    fetched = ndimage.map_coordinates(second, at, order=3, mode="nearest")
    return np.abs(fetched - first)[inside].mean() / first.std()


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_second_frame_fetched_back_along_the_flow_is_the_first(seed):
    rng = np.random.default_rng(seed)
    layer = smooth_layer(rng, moving.random_motion(rng, SIDE))
    assert mismatch(*moving.compose([layer], SIDE)) < 0.02


@pytest.mark.parametrize("wrong", [(1, -1), (-1, 1), (-1, -1), (0.8, 0.8)])
def test_wrong_flow_is_noticed(wrong):
    rng = np.random.default_rng(1)
    motion = moving.translation(2.0, 1.5)
    pair, flow = moving.compose([smooth_layer(rng, motion)], SIDE)
    assert mismatch(pair, flow) < 0.02
    assert mismatch(pair, flow * torch.tensor(wrong)[:, None, None]) > 0.02


@pytest.mark.parametrize(("right", "up"), [(3.0, 0.0), (0.0, 2.0), (-1.5, -2.5)])
def test_translation_goes_right_and_up(right, up):
    y, x = np.mgrid[:512, :512] - 255.5
    spot = torch.from_numpy(np.exp(-(x * x + y * y) / 200).astype(np.float32))[None, None]
    motion = moving.translation(right, up)
    layer = moving.Layer(spot, motion, np.eye(2), np.zeros(2))
    pair, flow = moving.compose([layer], SIDE)
    (row0, column0), (row1, column1) = map(ndimage.center_of_mass, pair.numpy())
    assert (column1 - column0, row0 - row1) == pytest.approx((right, up), abs=0.02)
    assert flow[:, 5, 7].tolist() == pytest.approx([right, up])


def test_a_positive_turn_is_counter_clockwise_and_growth_points_outward():
    turn = moving.spiral(0.1, 0).flow(SIDE)
    assert turn[1, SIDE // 2, -1] > 0  # the right edge goes up
    assert turn[0, 0, SIDE // 2] < 0  # the top edge goes left
    growth = moving.spiral(0, 0.1).flow(SIDE)
    assert growth[0, SIDE // 2, -1] == pytest.approx(0.1 * (SIDE - 1) / 2)
    assert growth[1, 0, SIDE // 2] == pytest.approx(0.1 * (SIDE - 1) / 2)


def test_upper_layer_hides_the_lower_and_carries_its_own_flow():
    rng = np.random.default_rng(2)
    mask = torch.zeros(1, 1, textures.CANVAS, textures.CANVAS)
    mask[..., : textures.CANVAS // 2] = 1  # the left half
    black, white = (torch.full_like(mask, v) for v in (0.0, 1.0))
    still, pushed = moving.translation(0, 0), moving.translation(4, 1)
    place = (np.eye(2), np.zeros(2))
    lower = moving.Layer(black, still, *place)
    upper = moving.Layer(white, pushed, *place, mask=mask)
    pair, flow = moving.compose([lower, upper], SIDE)
    assert pair.sum((1, 2)).tolist() == [SIDE * SIDE / 2, SIDE * (SIDE / 2 + 4)]
    assert flow[:, 0, : SIDE // 2].unique(dim=1).tolist() == [[4], [1]]
    assert flow[:, 0, SIDE // 2 :].unique(dim=1).tolist() == [[0], [0]]
    assert textures.blob_mask(rng).unique().tolist() == [0, 1]


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_no_pixel_moves_faster_than_the_limit(seed):
    flow = moving.random_motion(np.random.default_rng(seed), SIDE).flow(SIDE)
    assert flow.square().sum(0).sqrt().max() <= moving.MAX_SPEED + 1e-3


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_noise_has_the_amplitude_spectrum_that_it_names(slope):
    field = textures.noise(np.random.default_rng(3), slope)
    amplitude = np.abs(np.fft.rfft2(field))
    f = textures.frequencies()
    band = (f > 0.05) & (f < 0.45)
    fitted, _ = np.polyfit(np.log(f[band]), np.log(amplitude[band]), 1)
    assert fitted == pytest.approx(-slope, abs=0.05)
    assert field.std() == pytest.approx(1)


@pytest.mark.parametrize("kind", textures.KINDS)
def test_textures_fill_their_range_and_repeat_with_their_seed(kind):
    one, again, other = (textures.texture(np.random.default_rng(s), kind) for s in (4, 4, 5))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert 0 <= one.min() < 0.2 < 0.8 < one.max() <= 1


def test_scenes_repeat_with_their_seed():
    def scene(seed):
        rng = np.random.default_rng(seed)
        drawn = [textures.texture(rng, "noise")]
        pair, flow = moving.random_scene(rng, drawn, [textures.blob_mask(rng)], SIDE)
        return torch.cat([moving.augment(rng, pair), flow])

    assert torch.equal(scene(6), scene(6))
    assert not torch.equal(scene(6), scene(7))


def test_heldout_noise_of_a_whole_step_is_a_shifted_crop():
    frames, flow = heldout.shifted_noise(np.random.default_rng(8), 0.0, 3, 2)
    first, second = frames
    torch.testing.assert_close(second[:-2, 3:], first[2:, :-3], atol=1e-5, rtol=0)
    assert flow[:, 0, 0].tolist() == [3, 2]


def test_a_shifted_photograph_moves_as_its_flow_says():
    frames, flow = heldout.shifted_photograph("astronaut", 3, 2)  # to the right and UP
    first, second = frames.numpy()
    np.testing.assert_allclose(second[:-2, 3:], first[2:, :-3], atol=1e-5)
    assert flow[:, 0, 0].tolist() == [3, 2]


def test_a_row_is_bold_only_where_the_first_file_is_no_worse():
    evaluate_msoe = importlib.import_module("evaluate_msoe")
    row = evaluate_msoe.line("noise", "2 px", "2.00", [(0.104, 0.3), (0.1, 0.2)])
    assert row == "| noise | 2 px | 2.00 | **0.10** / 0.10 | 0.30 / 0.20 |"
