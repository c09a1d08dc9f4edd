"""Layout and shape of small maps: what they must count, must not count, and must not mind."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import stst.losses.arrangement as subject
from decoding import decoded_here  # noqa: F401
from stst.losses.arrangement import PARTS, layout, maps, shape

SHARED = Path(__file__).parents[2] / "shared" / "data"
LUMINANCE, COLOUR = PARTS["luminance"], PARTS["colour"]


def scene(seed=0, height=96, width=128):
    """A frame (3, H, W) of dark and bright patches, as irregular as those of a landscape."""
    noise = np.random.default_rng(seed).standard_normal((3, 24, 32))
    small = gaussian_filter(noise, (0, 1.5, 1.5))
    large = cv2.resize(small.transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_CUBIC)
    return 0.5 + 0.2 * np.tanh(large.transpose(2, 0, 1) / small.std())


def scrambled(frame, seed=1):
    """The same amplitudes with random phases."""
    dice = np.random.default_rng(seed)
    turn = np.angle(np.fft.fft2(dice.random(frame.shape[1:])))
    turn[0, 0] = 0
    return np.fft.ifft2(np.fft.fft2(frame) * np.exp(1j * turn)).real


def shuffled(frame, seed=1, block=16):
    """The same blocks of 16 px at other places."""
    rows, columns = (side // block for side in frame.shape[1:])
    blocks = frame.reshape(3, rows, block, columns, block).transpose(1, 3, 0, 2, 4)
    blocks = np.random.default_rng(seed).permutation(blocks.reshape(-1, 3, block, block))
    grid = blocks.reshape(rows, columns, 3, block, block).transpose(2, 0, 3, 1, 4)
    return grid.reshape(frame.shape)


def both(made, natural, part=LUMINANCE):
    a, b = maps(made)[part], maps(natural)[part]
    return shape(a, b), layout(a, b)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_frame_has_its_own_arrangement(part):
    found = [both(scene(seed), scene(seed), part) for seed in range(6)]
    assert min(s for s, _ in found) > 0.2
    assert [p for _, p in found] == pytest.approx(np.ones(6))


@pytest.mark.parametrize("change", [scrambled, shuffled, lambda x, seed: scene(seed + 100)])
def test_what_is_scrambled_shuffled_or_unrelated_has_none_on_average(change):
    found = np.array([both(change(scene(seed), seed), scene(seed)) for seed in range(30)])
    ceiling = np.mean([both(scene(seed), scene(seed))[0] for seed in range(30)])
    error = found.std(0) / np.sqrt(len(found))
    assert abs(found[:, 0].mean()) < 3 * error[0] < 0.3 * ceiling
    assert abs(found[:, 1].mean()) < max(3 * error[1], 0.15)


def test_a_shifted_copy_has_its_shape_at_another_place():
    found = []
    for seed in range(6):
        moved = np.roll(scene(seed), (12, 24), (1, 2))
        found.append(both(moved, scene(seed)))
    shapes, places = np.mean(found, 0)
    assert shapes > 0.15
    assert places < 0.5


@pytest.mark.parametrize("flip", [np.s_[:, :, ::-1], np.s_[:, ::-1], np.s_[:, ::-1, ::-1]])
def test_mirror_images_do_not_count(flip):
    assert np.mean([both(scene(seed)[flip], scene(seed))[0] for seed in range(6)]) < 0


@given(st.floats(0.3, 1), st.floats(-0.2, 0.2), st.integers(0, 20))
def test_neither_gain_nor_a_constant_matters(gain, constant, seed):
    natural = scene(seed)
    one, other = scrambled(natural), gain * scrambled(natural) + constant
    assert both(other, natural) == pytest.approx(both(one, natural), abs=1e-9)


@pytest.mark.parametrize("size", [(384, 288), (200, 150), (192, 144)])
def test_the_size_of_frames_hardly_matters(size):
    pairs = scene(3, 576, 768), scene(3, 576, 768) + scrambled(scene(3, 576, 768))
    small = [cv2.resize(x.transpose(1, 2, 0), size, interpolation=cv2.INTER_AREA) for x in pairs]
    found = both(*(x.transpose(2, 0, 1) for x in small))
    assert found == pytest.approx(both(*pairs), abs=0.02)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_frames_have_no_arrangement_and_no_warning(value):
    flat, noisy = np.full((3, 40, 50), value), scene(0, 40, 50)
    for pair in ((flat, flat), (flat, noisy), (noisy, flat)):
        assert both(*pair) == (0, 0)
        assert both(*pair, COLOUR) == (0, 0)


def test_rounding_of_a_grey_frame_is_no_colour():
    grey = np.repeat(scene()[:1], 3, 0)
    rounded = grey + np.random.default_rng(0).integers(-1, 2, grey.shape) / 255
    assert both(rounded, rounded, COLOUR) == (0, 0)


def test_an_object_of_another_colour_alone_is_found():
    frame, patches = np.full((3, 96, 128), 0.5), scene()[0] > 0.5
    frame[:, patches] += np.array([0.2, -0.2, 0])[:, None]  # R + G + B as before
    assert both(frame, frame) == (0, 0)
    assert both(frame, frame, COLOUR)[0] > 0.2


def test_a_lone_disc_is_like_its_mirror_images():
    y, x = np.mgrid[:96, :128]
    disc = np.where(np.hypot(y - 40, x - 50) < 16, 0.2, 0.7) * np.ones((3, 1, 1))
    shapes, place = both(disc, disc)  # so shape cannot tell: the ceiling says so
    assert shapes < 0.1
    assert place == pytest.approx(1)


def test_the_peak_is_that_of_the_sum_of_products_over_shifts():
    made, natural = (subject._faded(maps(scene(seed, 40, 48))[COLOUR], 0.06) for seed in (1, 2))
    (found,) = subject._peaks(made, natural[None])
    down, across = int(subject.REACH * 40), int(subject.REACH * 48)
    sums = [
        (made[:, max(v, 0) : 40 + min(v, 0), max(u, 0) : 48 + min(u, 0)]
         * natural[:, max(-v, 0) : 40 + min(-v, 0), max(-u, 0) : 48 + min(-u, 0)]).sum()
        for v in range(-down, down + 1) for u in range(-across, across + 1)
    ]  # fmt: skip
    assert found == pytest.approx(max(sums))


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("_peaks", lambda made, natural: np.ones(4)),  # all peaks alike
        ("_faded", lambda x, blur: x),  # norms left as they are
        ("REACH", 0.0),  # no shifts
    ],
)
def test_a_planted_fault_of_shape_is_caught(name, planted, monkeypatch):
    monkeypatch.setattr(subject, name, planted)
    with pytest.raises(AssertionError):
        _shape_is_kept_in_a_shifted_copy_of_less_contrast()


def _shape_is_kept_in_a_shifted_copy_of_less_contrast():
    test_a_shifted_copy_has_its_shape_at_another_place()
    test_neither_gain_nor_a_constant_matters()


def test_trends_that_are_left_in_are_caught(monkeypatch):
    monkeypatch.setattr(subject, "_trends", lambda h, w: np.zeros((h * w, 6)))
    y = np.linspace(0.2, 0.8, 96)[:, None] * np.ones((3, 1, 128))
    assert both(y + scrambled(scene(1)) / 4, y + scene(2) / 4)[1] > 0.5
    monkeypatch.undo()
    assert abs(both(y + scrambled(scene(1)) / 4, y + scene(2) / 4)[1]) < 0.5


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder ../shared/data with real clips")
def test_real_clips_are_told_from_each_other():
    from stst.video.read import read_video

    clips = [
        read_video(SHARED / name, width=160, frames=4).frames.numpy()
        for name in ("animal.mp4", "flag_2.gif")
    ]
    small = [maps(frames[0])[LUMINANCE] for frames in clips]
    height, width = (min(x.shape[side] for x in small) for side in (1, 2))
    one, other = (x[:, :height, :width] for x in small)
    assert min(shape(x, x) for x in (one, other)) > 0.2 > shape(one, other)
