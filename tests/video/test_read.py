"""Reading: which frames, at what size and rate, from which kinds of source."""

import hashlib
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import made_media as made
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import stst
from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video.decode import source_for
from stst.video.files import Limits, Request
from stst.video.frames import to_clip, to_uint8
from stst.video.read import FramesWarning, digest, probe, read_video
from stst.video.sizes import Sizing, place

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    return made.write(path, made.rgb_frames(made.moving(10), "bgr0"), rate="30000/1001")


def test_a_lossless_file_is_read_exactly(clip_file, globals_unchanged):
    clip = read_video(clip_file)
    assert np.array_equal(to_uint8(clip.frames), made.moving(10))
    assert clip.frame_rate == Fraction(30000, 1001)
    assert clip.frames.dtype == torch.float32


@pytest.mark.parametrize(
    "choice", [{"start": 3}, {"frames": 4}, {"every": 3}, {"start": 1, "frames": 3, "every": 2}]
)
def test_start_frames_and_every_choose_frames(clip_file, choice):
    clip = read_video(clip_file, **choice)
    want = made.moving(10)[choice.get("start", 0) :: choice.get("every", 1)]
    assert np.array_equal(to_uint8(clip.frames), want[: choice.get("frames")])
    assert clip.frame_rate == Fraction(30000, 1001) / choice.get("every", 1)


@pytest.mark.parametrize(
    "choice", [{}, {"start": 1, "frames": 3, "every": 2}, {"width": 32, "frame_rate": "30000/1001"}]
)
def test_a_video_that_is_opened_holds_the_frames_that_are_read(clip_file, choice):
    clip = read_video(clip_file, **choice)
    with stst.open_video(clip_file, **choice) as film:
        assert (len(film), film.size, film.frame_rate) == (len(clip), clip.size, clip.frame_rate)
        assert all(film.take([i])[0].equal(frame) for i, frame in enumerate(clip.frames))
        assert to_clip(film).frames.equal(clip.frames)


@given(st.integers(0, 30), st.none() | st.integers(1, 9), st.integers(1, 9), st.integers(0, 40))
def test_the_indices_chosen_are_those_of_a_slice(start, frames, every, length):
    chosen = Request(path="", start=start, frames=frames, every=every).indices(length)
    assert list(chosen) == list(range(length))[start::every][:frames]


@pytest.mark.parametrize("choice", [{"start": -1}, {"every": 0}, {"frames": 0}])
def test_a_choice_of_no_frames_is_refused(clip_file, choice):
    with pytest.raises(FramesError, match="start must be at least 0"):
        read_video(clip_file, **choice)


@pytest.mark.parametrize("choice", [{"frames": 11}, {"start": 9}, {"frames": 1}, {"start": 99}])
def test_fewer_frames_than_needed_are_refused(clip_file, choice):
    with pytest.raises(FramesError, match="are needed"):
        read_video(clip_file, **choice)


def overlaps(full, small):
    """(small, full): how much of each px, as a share of its box, each box covers."""
    edges = np.arange(small + 1) * full / small
    px = np.arange(full)
    low, high = edges[:-1, None], edges[1:, None]
    return np.clip(np.minimum(high, px + 1) - np.maximum(low, px), 0, 1) * small / full


@given(st.integers(2, 23), st.integers(2, 23), st.data())
def test_downsizing_averages_over_exact_boxes(height, width, data):
    narrow = data.draw(st.integers(1, width - 1))
    pixels = np.random.default_rng(height * width).random((height, width, 3), np.float32)
    small = place((height, width), Sizing(width=narrow)).apply(pixels)
    low = max(1, round(height * narrow / width))
    want = np.einsum("ih,jw,hwc->ijc", overlaps(height, low), overlaps(width, narrow), pixels)
    assert small.shape == (low, narrow, 3)
    assert np.abs(small - want).max() < 1e-5


def test_that_oracle_catches_another_way_to_downsize():
    pixels = np.random.default_rng(0).random((9, 16, 3), np.float32)
    want = np.einsum("ih,jw,hwc->ijc", overlaps(9, 4), overlaps(16, 7), pixels)
    linear = cv2.resize(pixels, (7, 4), interpolation=cv2.INTER_LINEAR)
    assert np.abs(linear - want).max() > 1e-2


def test_width_keeps_the_aspect_and_never_enlarges(clip_file):
    assert read_video(clip_file, width=32).size == (24, 32)
    assert read_video(clip_file, width=64).size == (48, 64)
    for wrong, told in ((65, "enlarged.*--enlarge"), (0, "a side is 1 to 32768 px")):
        with pytest.raises(FramesError, match=told):
            read_video(clip_file, width=wrong)


@pytest.mark.parametrize("rate", ["30000/1001", Fraction(30000, 1001)])
def test_a_frame_rate_that_the_file_has_may_be_repeated(clip_file, rate):
    assert read_video(clip_file, frame_rate=rate).frame_rate == Fraction(30000, 1001)


@pytest.mark.parametrize("rate", [30, 29.97, "25"])
def test_a_frame_rate_that_contradicts_the_file_is_refused(clip_file, rate):
    with pytest.raises(FramesError, match="contradicts"):
        read_video(clip_file, frame_rate=rate)


def test_probe_states_what_the_file_declares(clip_file):
    info = probe(clip_file)
    assert (info.size, info.declared, info.rate) == ((48, 64), 10, Fraction(30000, 1001))


def folder_of(path, levels, names):
    path.mkdir()
    for level, name in zip(levels, names, strict=True):
        Image.fromarray(level).save(path / name)
    return path


def test_a_folder_is_read_in_natural_order_at_the_rate_given(tmp_path):
    names = ["f10.png", "f2.bmp", "f1.tif", "F3.PNG"]
    levels = made.moving(4, 12, 16)
    folder = folder_of(tmp_path / "stills", levels, names)
    (folder / ".hidden.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image")
    with (
        pytest.warns(FramesWarning, match=r"3 types: \.bmp \(1\), \.png \(2\), \.tif \(1\)"),
        pytest.warns(FramesWarning, match=r"2 forms of names: F# \(1\), f# \(3\)"),
    ):
        clip = read_video(folder, frame_rate="24000/1001", every=1)
    order = [3, 2, 1, 0]  # F3 < f1 < f2 < f10
    assert np.array_equal(to_uint8(clip.frames), levels[order])
    assert clip.frame_rate == Fraction(24000, 1001)
    info = probe(folder)
    assert (info.size, info.declared, info.rate) == ((12, 16), 4, None)


@pytest.mark.parametrize("rate", [None, 0, -25, float("nan"), "fast"])
def test_a_folder_needs_a_frame_rate(tmp_path, rate):
    folder = folder_of(tmp_path / "stills", made.moving(2, 4, 4), ["1.png", "2.png"])
    with pytest.raises(FramesError, match="--fps" if rate is None else "must be positive"):
        read_video(folder, frame_rate=rate)


def test_stills_keep_16_bits_and_their_orientation(tmp_path):
    deep = np.random.default_rng(0).integers(0, 2**16, (2, 8, 8, 3)).astype(np.uint16)
    for index, image in enumerate(deep):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image[..., ::-1])
    frames = read_video(tmp_path, frame_rate=25).frames
    assert np.abs(frames.numpy().transpose(0, 2, 3, 1) - deep / 65535).max() < 1e-6


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_photographs_are_turned_upright(tmp_path, orientation, turns):
    level = np.repeat(made.bars(16, 32)[:, :16] * 255, 1, axis=0).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("1.jpg", "2.jpg"):
        image = Image.fromarray(level)
        image.save(tmp_path / name, exif=exif, quality=98, subsampling=0)
    frames = read_video(tmp_path, frame_rate=25).frames
    want = np.rot90(level, turns)
    assert frames.shape[2:] == want.shape[:2]
    assert np.abs(to_uint8(frames)[0].astype(int) - want).mean() < 3


def test_stills_of_two_sizes_or_a_damaged_one_are_refused(tmp_path):
    levels = made.moving(2, 8, 8)
    folder = folder_of(tmp_path / "sizes", [levels[0], levels[1][:4]], ["1.png", "2.png"])
    with pytest.raises(FramesError, match="changes size"):
        read_video(folder, frame_rate=25)
    folder = folder_of(tmp_path / "damaged", levels, ["1.png", "2.png"])
    (folder / "2.png").write_bytes(b"text")
    with pytest.raises(FramesError, match=r"2\.png"):
        read_video(folder, frame_rate=25)
    (tmp_path / "none").mkdir()
    with pytest.raises(FramesError, match="no images"):
        read_video(tmp_path / "none", frame_rate=25)


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels_first", [True, False])
def test_an_array_is_read_in_either_layout(tmp_path, kind, channels_first):
    levels = made.moving(3, 6, 8)
    array = levels if kind == np.uint8 else (levels / 255).astype(kind)
    np.save(tmp_path / "a.npy", array.transpose(0, 3, 1, 2) if channels_first else array)
    frames = list(source_for(tmp_path / "a.npy", Limits()))
    assert np.array_equal(np.round(np.array(frames) * 255), levels)


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((2, 4, 4)), "T, H, W, 3"),
        (np.zeros((2, 3, 4, 3)), "T, H, W, 3"),
        (np.zeros((2, 4, 4, 3), np.int32), "uint8"),
        (np.full((2, 4, 4, 3), 1.5), r"in \[0, 1\]"),
        (np.full((2, 4, 4, 3), np.nan), r"in \[0, 1\]"),
    ],
    ids=["axes", "ambiguous", "type", "range", "nan"],
)
def test_an_array_of_another_kind_is_refused(tmp_path, array, word):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(FramesError, match=word):
        list(source_for(tmp_path / "a.npy", Limits()))


def test_an_array_is_read_at_the_rate_given(tmp_path):
    np.save(tmp_path / "a.npy", made.moving(3, 6, 8))
    clip = read_video(tmp_path / "a.npy", frame_rate=25)
    assert np.array_equal(to_uint8(clip.frames), made.moving(3, 6, 8))
    assert clip.frame_rate == 25


def test_a_gif_is_read_with_its_rate(tmp_path):
    levels = np.repeat(np.arange(0, 250, 50, np.uint8), 12 * 16 * 3).reshape(5, 12, 16, 3)
    images = [Image.fromarray(level) for level in levels]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=40)
    clip = read_video(tmp_path / "a.gif")
    assert clip.frame_rate == 25
    assert np.array_equal(to_uint8(clip.frames), levels)


def test_more_than_8_bits_are_kept(tmp_path):
    rgb = np.linspace(0.2, 0.8, 64)[None, :, None] * np.ones((8, 64, 3))
    codes = made.to_codes(rgb, made.BT709, False, 10)
    frames = [made.plane_frame(codes, "yuv444p10le") for _ in range(2)]
    tags = {"colorspace": 1, "color_range": 1}
    clip = read_video(made.write(tmp_path / "deep.mkv", frames, tags=tags))
    assert 255 * np.abs(clip.frames[0].numpy().transpose(1, 2, 0) - rgb).max() < 0.43


def test_the_digest_is_of_the_bytes(tmp_path, clip_file):
    assert digest(clip_file) == hashlib.sha256(clip_file.read_bytes()).hexdigest()
    folder = folder_of(tmp_path / "stills", made.moving(2, 4, 4), ["1.png", "2.png"])
    before = digest(folder)
    (folder / "notes.txt").write_text("not an image")
    assert digest(folder) == before
    (folder / "2.png").rename(folder / "3.png")
    assert digest(folder) != before


def test_the_decoding_process_imports_no_torch():
    code = "import sys, stst.video.decode; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=child_environment())
    assert done.returncode == 0
    done = subprocess.run(
        [sys.executable, "-c", code.replace("'torch'", "'av'")], env=child_environment()
    )
    assert done.returncode == 1  # the check sees what is imported


def child_environment():
    return {**os.environ, "PYTHONPATH": str(Path(stst.__file__).parents[1])}


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder ../shared/data with real clips")
def test_the_clip_of_the_paper():
    info = probe(SHARED / "animal.mp4")
    rate = Fraction(60000, 1001)
    assert (info.size, info.declared, info.rate) == ((720, 1280), 120, rate)
    clip = read_video(SHARED / "animal.mp4", width=128, frames=3, every=2)
    assert (clip.size, len(clip), clip.frame_rate) == ((72, 128), 3, rate / 2)
