"""What a container says and the frames do not, or deny: crop, turn, colours, dynamic range."""

import av
import film_matrix as matrix
import numpy as np
import pytest
from test_second_opinion import BT601, BT709, PATTERN, agree, by_matrix, planes, read

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video import header, pixels

SIZE = (64, 128)  # of the pattern: height, width
CODECS = {"h264.mp4": "libx264", "hevc.mov": "libx265", "prores.mov": "prores_ks"}


def film(ffmpeg, path, encoder="libx264", *words):
    pixel_format = "yuv422p10le" if encoder == "prores_ks" else "yuv420p"
    ffmpeg(*PATTERN, "-c:v", encoder, "-pix_fmt", pixel_format, *words, path)
    return path


def frames_of(ffmpeg, path, size):
    """FFmpeg's own frames: (T, H, W, 3) in [0, 1]."""
    flags = "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    data = ffmpeg("-i", path, "-vf", flags, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    return np.frombuffer(data, np.uint8).reshape(-1, *size, 3) / 255


# ---------------------------------------------------------------- crop


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("ending", ["itself", "mkv"])
def test_a_crop_of_the_container_is_applied(name, ending, ffmpeg, tmp_path):
    path = film(ffmpeg, tmp_path / name, CODECS[name])
    matrix.plant(path, matrix.clean_aperture(100, 44, right=14, down=-6))
    if ending == "mkv":  # its PixelCrop
        ffmpeg("-i", path, "-c", "copy", tmp_path / "a.mkv")
        path = tmp_path / "a.mkv"
    frames, _ = read(path)
    agree(frames, frames_of(ffmpeg, path, (44, 100)))


def test_a_title_that_reads_like_a_crop_is_none(ffmpeg, tmp_path):
    path = tmp_path / "a.mkv"
    line = "Side data:\n      Frame Cropping: 8/8/8/8"
    words = ["-metadata:s", f"title={line}", "-metadata:s", "Frame Cropping=8/8/8/8"]
    film(ffmpeg, path, "libx264", *words)
    assert read(path)[0].shape[1:3] == SIZE


# ---------------------------------------------------------------- dynamic range


@pytest.mark.parametrize(
    ("profile", "base", "ending"),
    [(5, 0, "mp4"), (5, 0, "mkv"), (8, 1, "mp4"), (8, 4, "mp4"), (8, 2, "mp4"), (8, 2, "mkv")],
)
def test_dolby_vision_is_refused_unless_its_base_layer_is_sdr(
    profile, base, ending, ffmpeg, tmp_path
):
    path = film(ffmpeg, tmp_path / "a.mp4", "libx265")
    matrix.plant(path, matrix.dolby_vision(profile, base))
    if ending == "mkv":
        ffmpeg("-i", path, "-strict", "unofficial", "-c", "copy", tmp_path / "a.mkv")
    path = tmp_path / f"a.{ending}"
    if str(base) == header.SDR_BASE:
        assert "Dolby Vision" in " ".join(read(path)[1])
    else:
        with pytest.raises(FramesError, match="Dolby Vision"):
            read(path)


MASTERED = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"


@pytest.mark.parametrize("transfer", ["", ":transfer=bt709"])
def test_a_master_of_high_dynamic_range_without_a_transfer_is_told_of(transfer, ffmpeg, tmp_path):
    path = tmp_path / "a.mp4"
    film(ffmpeg, path, "libx265", "-x265-params", f"log-level=none:{MASTERED}{transfer}")
    told = " ".join(read(path)[1])
    assert ("mastered" in told) == (not transfer)


def test_cinema_colours_are_refused():
    with pytest.raises(FramesError, match="XYZ"):
        pixels.to_rgb(av.VideoFrame(16, 16, "xyz12le"))


# ---------------------------------------------------------------- two sources that differ


def tagged_twice(ffmpeg, tmp_path, container, bitstream):
    """H.264 whose container states one matrix or range, and whose bitstream another."""
    first, path = tmp_path / "first.mp4", tmp_path / "a.mp4"
    tags = f"setparams=colorspace={container}:color_trc=bt709:color_primaries=bt709"
    film(ffmpeg, first, "libx264", "-vf", tags, "-movflags", "write_colr")
    ffmpeg("-i", first, "-c", "copy", "-bsf:v", f"h264_metadata={bitstream}", path)
    return path


@pytest.mark.parametrize(("code", "weights"), [(1, BT709), (6, BT601)])
def test_the_matrix_of_the_frames_is_believed_as_ffmpeg_does(code, weights, ffmpeg, tmp_path):
    other = {1: "smpte170m", 6: "bt709"}[code]
    path = tagged_twice(ffmpeg, tmp_path, other, f"matrix_coefficients={code}")
    frames, told = read(path)
    assert "in its container" in " ".join(told)
    agree(frames, by_matrix(planes(ffmpeg, path, SIZE), *weights))
    agree(frames, frames_of(ffmpeg, path, SIZE))


def test_sources_that_agree_are_not_told_of(ffmpeg, tmp_path):
    assert read(tagged_twice(ffmpeg, tmp_path, "bt709", "matrix_coefficients=1"))[1] == []


def test_the_range_of_the_frames_is_believed_as_ffmpeg_does(ffmpeg, tmp_path):
    path = tagged_twice(ffmpeg, tmp_path, "bt709", "video_full_range_flag=1")
    frames, told = read(path)
    assert "states full range in its frames and limited" in " ".join(told)
    agree(frames, frames_of(ffmpeg, path, SIZE))


@pytest.mark.parametrize("turn", [("180",), ("0", "-display_hflip")])
def test_the_turn_of_the_frames_is_believed_as_ffmpeg_does(turn, ffmpeg, tmp_path):
    first, path = tmp_path / "first.mov", tmp_path / "a.mov"
    ffmpeg("-display_rotation", 90, "-noautorotate", *PATTERN, "-c:v", "png", first)  # has EXIF
    ffmpeg("-display_rotation", *turn, "-i", first, "-c", "copy", path)
    frames, told = read(path)
    assert "a rotation of 90 degrees in its frames" in " ".join(told)
    np.testing.assert_allclose(frames, frames_of(ffmpeg, path, SIZE[::-1]), atol=1e-6)


ONCE = "h264_metadata=display_orientation=insert:rotate="


@pytest.mark.parametrize("degrees", [90, 180])
def test_a_turn_that_the_bitstream_states_once_is_that_of_all_frames(degrees, ffmpeg, tmp_path):
    first, path = tmp_path / "first.mp4", tmp_path / "a.mkv"
    film(ffmpeg, first, "libx264", "-pix_fmt", "yuv444p")
    ffmpeg("-i", first, "-c", "copy", "-bsf:v", f"{ONCE}{degrees}", path)
    size = SIZE[::-1] if degrees == 90 else SIZE
    agree(read(path)[0], frames_of(ffmpeg, path, size))


def test_a_turn_that_changes_is_refused(ffmpeg, tmp_path):
    first, path = film(ffmpeg, tmp_path / "first.mp4"), tmp_path / "a.mkv"
    ffmpeg("-i", first, "-c", "copy", "-bsf:v", f"{ONCE}180", tmp_path / "once.mp4")
    ffmpeg(
        "-display_rotation", 0, "-display_hflip", "-i", tmp_path / "once.mp4", "-c", "copy", path
    )
    with pytest.raises(FramesError, match="changes its rotation at frame 1"):
        read(path)


# ---------------------------------------------------------------- transparency


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("turn", [90, 180])
def test_transparent_films_are_turned(codec, turn, ffmpeg, tmp_path):
    path = tmp_path / "a.webm"
    words = ["-display_rotation", turn, "-noautorotate", *PATTERN]
    ffmpeg(*words, "-pix_fmt", "yuva420p", "-c:v", codec, "-auto-alt-ref", 0, path)
    size = SIZE[::-1] if turn == 90 else SIZE
    agree(read(path)[0], frames_of(ffmpeg, path, size))


@pytest.mark.parametrize(("name", "bits"), [("gbrap", 8), ("gbrap10le", 10), ("yuva444p12le", 12)])
def test_transparency_of_any_depth_is_kept(name, bits):
    frame = av.VideoFrame(16, 16, name)
    codes = np.arange(256).reshape(16, 16) * (2**bits - 1) // 255
    for plane, levels in zip(
        frame.planes, [np.full_like(codes, 2**bits - 1)] * 3 + [codes], strict=True
    ):
        kind = np.uint16 if bits > 8 else np.uint8
        rows = np.zeros((16, plane.line_size // kind().itemsize), kind)
        rows[:, :16] = levels
        plane.update(rows.tobytes())
    np.testing.assert_allclose(pixels._alpha(frame)[..., 0], codes / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts"])
def test_a_layer_of_hevc_that_is_not_read_is_told_of(ending, ffmpeg, tmp_path):
    path = tmp_path / f"a.{ending}"
    ffmpeg(*PATTERN, "-c:v", "libx265", "-pix_fmt", "yuva420p", path)
    rate = 25 if ending == "ts" else None
    assert "second layer" in " ".join(read(path, frame_rate=rate)[1])
