"""Colour matrix, range, depth, alpha and orientation of one decoded frame."""

import av
import made_media as made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stst.errors import FramesError
from stst.video import pixels

DEPTHS = {8: "yuv444p", 10: "yuv444p10le", 12: "yuv444p12le"}
MATRICES = {"601": (5, made.BT601), "709": (1, made.BT709)}
LIMITED, FULL = 1, 2


def gap(rgb, weights, full, bits, tag, turn=pixels.to_rgb):
    """Return the greatest error, in levels of 255, after codes made apart from the package."""
    frame = made.plane_frame(made.to_codes(rgb, weights, full, bits), DEPTHS[bits])
    frame.colorspace, frame.color_range = tag, FULL if full else LIMITED
    return 255 * np.abs(turn(frame)[0] - rgb).max()


@given(
    st.integers(0, 2**31),
    st.sampled_from(sorted(MATRICES)),
    st.booleans(),
    st.sampled_from(sorted(DEPTHS)),
)
def test_tagged_colours_come_back_within_the_rounding_of_their_codes(seed, name, full, bits):
    tag, weights = MATRICES[name]
    rgb = np.random.default_rng(seed).random((6, 16, 3))
    # Half a code of luma (255/219) and half of chroma (1.86 * 255/224): 1.64 at 8 bits.
    assert gap(rgb, weights, full, bits, tag) < 1.7 / 2 ** (bits - 8)


def test_that_bound_catches_another_matrix_range_and_swscales_16_bits():
    rgb = made.bars(16, 16)
    assert gap(rgb, made.BT601, False, 8, tag=5) < 2
    assert gap(rgb, made.BT601, False, 8, tag=1) > 10

    def by_swscale(frame):
        return frame.reformat(format="rgb48le").to_ndarray() / 65535, False

    assert gap(rgb, made.BT601, False, 10, tag=5, turn=by_swscale) > 0.5
    assert gap(rgb, made.BT601, False, 10, tag=5) < 0.5


@pytest.mark.parametrize(("lines", "name"), [(718, "601"), (720, "709")])
def test_untagged_frames_are_bt601_below_720_lines_and_bt709_from_there(lines, name):
    unspecified = 2
    rgb = made.bars(lines, 16)
    for other, (_, weights) in MATRICES.items():
        error = gap(rgb, weights, False, 8, tag=unspecified)
        assert error < 2 if other == name else error > 10


@pytest.mark.parametrize("full", [True, False], ids=["full", "limited"])
def test_colour_bars_with_halved_chroma_come_back_inside_each_bar(full):
    rgb = made.bars()
    y, u, v = made.to_codes(rgb, made.BT709, full, 8)
    frame = made.plane_frame([y, u[::2, ::2], v[::2, ::2]], "yuv420p")
    frame.colorspace, frame.color_range = 1, FULL if full else LIMITED
    inside = np.arange(128) % 16 // 4 % 3 != 0  # four px off the edges
    assert 255 * np.abs(pixels.to_rgb(frame)[0] - rgb)[:, inside].max() <= 2


def test_grey_is_full_range_unless_tagged():
    codes = np.arange(256, dtype=np.uint16).reshape(16, 16)
    frame = made.plane_frame([codes], "gray")
    rgb, _ = pixels.to_rgb(frame)
    assert np.allclose(rgb, codes[..., None] / 255, atol=1e-6)
    frame.color_range = LIMITED
    rgb, _ = pixels.to_rgb(frame)
    assert np.allclose(rgb[..., 0], np.clip((codes - 16.0) / 219, 0, 1), atol=1e-6)


@pytest.mark.parametrize(("name", "bits"), [("gbrp", 8), ("gbrp10le", 10), ("gbrp16le", 16)])
def test_rgb_of_any_depth_is_kept(name, bits):
    codes = [np.random.default_rng(c).integers(0, 2**bits, (8, 16)) for c in range(3)]
    rgb, _ = pixels.to_rgb(made.plane_frame(codes, name))
    green, blue, red = codes
    want = np.stack((red, green, blue), -1) / (2**bits - 1)
    assert np.abs(rgb - want).max() < 2e-5


def test_transparent_pixels_are_shown_over_black_and_reported():
    levels = np.full((4, 4, 4), 200, np.uint8)
    levels[..., 3] = [[255, 255, 0, 51]] * 4
    rgb, transparent = pixels.to_rgb(av.VideoFrame.from_ndarray(levels, "rgba"))
    assert transparent
    assert np.allclose(rgb[0, :, 0] * 255, [200, 200, 0, 40], atol=1e-4)
    levels[..., 3] = 255
    assert not pixels.to_rgb(av.VideoFrame.from_ndarray(levels, "rgba"))[1]


@pytest.mark.parametrize(("tag", "word"), [("color_trc", "SDR"), ("colorspace", "matrix")])
def test_high_dynamic_range_and_unknown_matrices_are_refused(tag, word):
    frame = av.VideoFrame(16, 16, "yuv420p")
    setattr(frame, tag, {"color_trc": 16, "colorspace": 8}[tag])  # PQ, YCgCo
    with pytest.raises(FramesError, match=word):
        pixels.to_rgb(frame)


def matrix_bytes(a, b, c, d):
    unit = 65536
    return np.array([a * unit, b * unit, 0, c * unit, d * unit, 0, 0, 0, 2**30], np.int32)


@pytest.mark.parametrize(
    ("numbers", "want"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),  # clockwise, as telephones write it
        ((0, -1, 1, 0), np.rot90),
        ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    ],
    ids=["none", "mirror", "flip", "180", "right", "left", "transpose"],
)
def test_the_display_matrix_is_applied(numbers, want):
    levels = made.moving(1, 6, 8)[0]
    frame = av.VideoFrame.from_ndarray(levels, "rgb24")
    assert np.array_equal(pixels.upright(levels, matrix_bytes(*numbers).tobytes()), want(levels))
    assert np.array_equal(pixels.to_rgb(frame)[0] * np.float32(255), levels)


@pytest.mark.parametrize("numbers", [(0.6, 0.8, -0.8, 0.6), (0, 0, 0, 0), (1, 0, 0, 0)])
def test_an_oblique_angle_and_a_flat_picture_are_refused(numbers):
    with pytest.raises(FramesError, match="quarter turn"):
        pixels.upright(made.moving(1)[0], matrix_bytes(*numbers).tobytes())
