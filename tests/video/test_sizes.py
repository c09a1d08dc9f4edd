"""Frames of a wanted size: what is cut off, added and interpolated, against other libraries."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import downscale_local_mean

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video import sizes
from stst.video.frames import Clip
from stst.video.read import read_video
from stst.video.sizes import Sizing, place

SIDES = st.integers(2, 40)
FITS = ("crop", "pad", "stretch")


def noise(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def fitted(pixels, width, height, fit=None, enlarge=False):
    sizing = Sizing(width=width, height=height, fit=fit, enlarge=enlarge)
    return place(pixels.shape[:2], sizing).apply(pixels)


def torchs_cubic(pixels, height, width):
    """Torch's bicubic with antialiasing, which has a = -1/2, as Pillow's."""
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    large = F.interpolate(planes, (height, width), mode="bicubic", antialias=True)
    return large[0].permute(1, 2, 0).clamp(0, 1).numpy()


def test_a_crop_is_the_middle_averaged():
    pixels = noise(24, 36)
    want = downscale_local_mean(pixels[:, 6:30], (3, 3, 1))
    np.testing.assert_allclose(fitted(pixels, 8, 8, "crop"), want, atol=1e-6)
    tall = noise(37, 12)  # of an odd rest one more row goes below
    want = downscale_local_mean(tall[12:24], (2, 2, 1))
    np.testing.assert_allclose(fitted(tall, 6, 6, "crop"), want, atol=1e-6)


def test_a_padded_frame_is_whole_between_bars_of_grey():
    pixels = noise(24, 36)
    framed = fitted(pixels, 12, 13, "pad")
    assert framed.shape == (13, 12, 3)
    np.testing.assert_allclose(framed[2:10], downscale_local_mean(pixels, (3, 3, 1)), atol=1e-6)
    assert (framed[:2] == 0.5).all()
    assert (framed[10:] == 0.5).all()


def test_a_stretched_frame_has_each_axis_averaged_alone():
    pixels = noise(24, 36)
    want = downscale_local_mean(pixels, (6, 2, 1))
    np.testing.assert_allclose(fitted(pixels, 18, 4, "stretch"), want, atol=1e-6)


def test_an_enlarged_frame_is_that_of_torch():
    pixels = noise(9, 14)
    want = torchs_cubic(pixels, 31, 48)
    np.testing.assert_allclose(fitted(pixels, 48, None, enlarge=True), want, atol=1e-5)
    assert want.min() == 0  # overshoot, which is clipped
    assert want.max() == 1


def test_one_axis_may_get_longer_while_the_other_is_averaged():
    pixels = noise(24, 8)
    shorter = downscale_local_mean(pixels, (4, 1, 1)).astype(np.float32)
    want = torchs_cubic(shorter, 6, 20)
    np.testing.assert_allclose(fitted(pixels, 20, 6, "stretch", enlarge=True), want, atol=1e-5)


def test_a_slope_stays_a_slope_when_it_is_enlarged():
    slope = np.linspace(0.1, 0.9, 16, dtype=np.float32)
    pixels = np.repeat(np.tile(slope, (4, 1))[..., None], 3, 2)
    row = fitted(pixels, 64, None, enlarge=True)[8, 8:-8, 0].astype(float)  # away from the edges
    np.testing.assert_allclose(np.diff(row), (0.8 / 15) / 4, atol=1e-5)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(FITS))
def test_every_fit_gives_the_size_and_keeps_the_aspect_but_stretch(
    rows, columns, height, width, fit
):
    placement = place((rows, columns), Sizing(width=width, height=height, fit=fit, enlarge=True))
    flat = placement.apply(np.full((rows, columns, 3), 0.25, np.float32))
    assert flat.shape == (height, width, 3)
    np.testing.assert_allclose(flat[flat != 0.5], 0.25, atol=1e-6)
    part, picture = placement.part, placement.picture
    if fit == "stretch":
        assert (part, picture) == ((rows, columns), (height, width))
        return
    if part == (rows, columns) and picture == (height, width):  # of one aspect, but for rounding
        across, down = Fraction(columns * height, rows), Fraction(rows * width, columns)
        assert min(abs(width - across), abs(height - down)) <= Fraction(1, 2)
        return
    inner, outer = (
        (part, (rows, columns)) if picture == (height, width) else (picture, (height, width))
    )
    aspect = Fraction(width, height) if picture == (height, width) else Fraction(columns, rows)
    assert inner[0] == outer[0] or inner[1] == outer[1]  # the largest that there is room for
    off = abs(inner[1] - inner[0] * aspect), abs(inner[0] - inner[1] / aspect)
    assert min(off) <= Fraction(1, 2) or 1 in inner


@given(SIDES, SIDES, SIDES, st.integers(-2, 2))
def test_only_what_changes_the_aspect_by_more_than_rounding_needs_a_fit(rows, columns, height, off):
    width = max(1, round(columns * height / rows) + off)
    across, down = Fraction(columns * height, rows), Fraction(rows * width, columns)
    rounding = min(abs(width - across), abs(height - down)) <= Fraction(1, 2)
    sizing = Sizing(width=width, height=height, enlarge=True)
    if rounding:
        whole = place((rows, columns), sizing)
        for fit in FITS:  # which then change nothing
            assert place((rows, columns), Sizing(**vars(sizing) | {"fit": fit})) == whole
    else:
        with pytest.raises(FramesError, match=r"another aspect ratio.*--fit crop, pad or stretch"):
            place((rows, columns), sizing)


@pytest.mark.parametrize("fit", FITS)
def test_a_file_and_a_clip_get_a_size_by_the_same_rules(fit, tmp_path):
    frames = np.stack([noise(12, 20, seed) for seed in range(3)])
    np.save(tmp_path / "clip.npy", frames)
    how = {"width": 7, "height": 15, "fit": fit, "enlarge": True}
    read = read_video(tmp_path / "clip.npy", frame_rate=25, **how)
    clip = Clip.from_array(frames, 25).resize(**how)
    assert read.frames.equal(clip.frames)
    assert clip.size == (15, 7)
    want = [fitted(frame, 7, 15, fit, enlarge=True) for frame in frames]
    np.testing.assert_array_equal(clip.frames.permute(0, 2, 3, 1).numpy(), want)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"width": 21}, "is 20x12 px and would be enlarged to 21x13 px.*--enlarge"),
        (
            {"width": 12, "height": 12},
            "and 12x12 px has another aspect ratio.*--fit crop",
        ),
        ({"width": 12, "height": 12, "fit": "cropp"}, "fit='cropp': choose crop, pad, stretch"),
        ({"height": 13, "width": 4, "fit": "crop"}, "enlarged to 4x13"),
        ({"width": 20, "height": -1}, "height=-1: a side is 1 to 32768 px"),
        ({"width": 10**30, "enlarge": True}, "a side is 1 to 32768 px"),
        ({"width": 5000, "enlarge": True}, "5000x3000 px; the limit is 4096 px per side"),
    ],
)
def test_what_cannot_be_brought_to_a_size_is_refused_in_plain_words(how, told, tmp_path):
    path = tmp_path / "clip.npy"
    np.save(path, np.stack([noise(12, 20)] * 2))
    with pytest.raises(FramesError, match=f"clip.npy .*{told}"):
        read_video(path, frame_rate=25, **how)


def test_the_steps_are_told_in_words():
    told = [
        place((24, 36), Sizing(width=w, height=h, fit=fit, enlarge=True)).steps
        for w, h, fit in (
            (None, None, "crop"),
            (18, 12, "crop"),
            (8, 8, "crop"),
            (12, 12, "pad"),
            (18, 4, "stretch"),
            (72, 48, None),
        )
    ]
    assert told == [
        [],
        ["resized to 18x12 px"],
        ["cropped to the middle 24x24 px", "resized to 8x8 px"],
        ["resized to 12x8 px", "padded with grey (value 0.5) to 12x12 px"],
        ["stretched to 18x4 px"],
        ["resized to 72x48 px by bicubic interpolation"],
    ]


def _corner(pixels, size):
    return pixels[: size[0], : size[1]]


def _opencvs(pixels, size):
    return np.clip(sizes.cv2.resize(pixels, size[::-1], interpolation=sizes.cv2.INTER_CUBIC), 0, 1)


BUGS = {  # the bug, and the test that must fail
    "the upper left corner": ("_middle", _corner, test_a_crop_is_the_middle_averaged),
    "bars of black": ("GREY", 0.0, test_a_padded_frame_is_whole_between_bars_of_grey),
    "the kernel of OpenCV": ("enlarged", _opencvs, test_an_enlarged_frame_is_that_of_torch),
    "and slopes under it": ("enlarged", _opencvs, test_a_slope_stays_a_slope_when_it_is_enlarged),
    "the smallest part": (
        "_largest",
        lambda room, aspect: aspect,
        test_a_crop_is_the_middle_averaged,
    ),
    "no rounding": (
        "_differ",
        lambda one, other: one[0] * other[1] != one[1] * other[0],
        test_only_what_changes_the_aspect_by_more_than_rounding_needs_a_fit,
    ),
    "any aspect": (
        "_differ",
        lambda one, other: False,
        test_only_what_changes_the_aspect_by_more_than_rounding_needs_a_fit,
    ),
    "cubic where a side is averaged": (
        "downsize",
        lambda pixels, size: sizes.cv2.resize(pixels, size[::-1], interpolation=2),
        test_one_axis_may_get_longer_while_the_other_is_averaged,
    ),
}


@pytest.mark.parametrize(("name", "bug", "check"), BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_caught(name, bug, check, monkeypatch):
    monkeypatch.setattr(sizes, name, bug)
    with pytest.raises((AssertionError, FramesError, pytest.fail.Exception)):
        check()
