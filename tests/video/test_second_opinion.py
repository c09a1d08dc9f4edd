"""Files that say things in several places, against a second reader: Pillow, and FFmpeg 9.

FFmpeg's program is that of the package imageio-ffmpeg.
"""

import warnings

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video.read import FramesWarning, read_video

HEIGHT, WIDTH = 24, 40


def corners():
    """A picture that no turn and no mirror leaves as it is: (H, W, 3) uint8."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for place, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]):
        top, left = place // 2 * HEIGHT // 2, place % 2 * WIDTH // 2
        picture[top : top + HEIGHT // 2, left : left + WIDTH // 2] = colour
    return picture


def read(path, **options):
    """Frames as (T, H, W, 3), and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clip = read_video(path, **options)
    told = [str(w.message) for w in caught if issubclass(w.category, FramesWarning)]
    return clip.frames.movedim(1, -1).numpy(), told


# ---------------------------------------------------------------- pictures, against Pillow


def folder_of(tmp_path, ending, orientation):
    """Two pictures that EXIF data turn or mirror."""
    for index in range(2):
        image = Image.fromarray(corners())
        exif = image.getexif()
        exif[ExifTags.Base.Orientation] = orientation
        lossless = {"lossless": True} if ending == "webp" else {}
        image.save(tmp_path / f"{index}.{ending}", exif=exif, **lossless)
    return tmp_path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_pictures_are_turned_and_mirrored_as_pillow_does(ending, orientation, tmp_path):
    frames, _ = read(folder_of(tmp_path, ending, orientation), frame_rate=25)
    with Image.open(tmp_path / f"0.{ending}") as image:
        wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB")) / 255
    assert frames[0].shape == wanted.shape
    assert np.abs(frames[0] - wanted).mean() < (0.02 if ending == "jpg" else 1e-6)


@pytest.mark.parametrize("hidden", range(4))
def test_a_hidden_colour_of_a_palette_is_black_and_told_of(hidden, tmp_path):
    image = Image.fromarray(corners()).quantize(4)
    for index in range(2):
        image.save(tmp_path / f"{index}.png", transparency=hidden)
    frames, told = read(tmp_path, frame_rate=25)
    with Image.open(tmp_path / "0.png") as saved:
        rgba = np.asarray(saved.convert("RGBA")) / 255
    np.testing.assert_allclose(frames[0], rgba[..., :3] * rgba[..., 3:], atol=1e-6)
    assert "transparent" in " ".join(told)


# ---------------------------------------------------------------- films, against FFmpeg


PATTERN = ("-f", "lavfi", "-i", "testsrc2=s=128x64:r=25:d=0.2")


def planes(ffmpeg, path, size):
    """Y, Cb and Cr of 8 bits as FFmpeg decodes them, at full size: (T, 3, H, W)."""
    data = ffmpeg("-i", path, "-pix_fmt", "yuv444p", "-f", "rawvideo", "-")
    return np.frombuffer(data, np.uint8).reshape(-1, 3, *size).astype(float)


def by_matrix(yuv, kr, kb):
    """ITU-T H.273, limited range: (T, 3, H, W) -> (T, H, W, 3) in [0, 1]."""
    y, blue, red = (yuv - np.array([16, 128, 128])[:, None, None]).swapaxes(0, 1)
    y, blue, red = y / 219, blue / 224, red / 224
    r, b = y + 2 * (1 - kr) * red, y + 2 * (1 - kb) * blue
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.stack([r, g, b], -1).clip(0, 1)


BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)


def agree(found, wanted):
    """But at contours, where chroma is brought to full size in another way."""
    assert found.shape == wanted.shape
    assert np.percentile(np.abs(found - wanted), 70) < 2.5 / 255


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("crop", [{"left": 16}, {"left": 8, "top": 4}, {"right": 32, "bottom": 6}])
def test_a_crop_in_the_bitstream_is_applied(codec, ending, crop, ffmpeg, tmp_path):
    encoder = {"h264": "libx264", "hevc": "libx265"}[codec]
    ffmpeg(*PATTERN, "-c:v", encoder, "-pix_fmt", "yuv420p", tmp_path / "whole.mp4")
    sides = ":".join(f"crop_{side}={px}" for side, px in crop.items())
    path = tmp_path / f"cropped.{ending}"
    ffmpeg("-i", tmp_path / "whole.mp4", "-c", "copy", "-bsf:v", f"{codec}_metadata={sides}", path)
    frames, _ = read(path)
    height = 64 - crop.get("top", 0) - crop.get("bottom", 0)
    width = 128 - crop.get("left", 0) - crop.get("right", 0)
    agree(frames, by_matrix(planes(ffmpeg, path, (height, width)), *BT601))


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparency_of_vp8_and_vp9_is_over_black_and_told_of(codec, ffmpeg, tmp_path):
    path = tmp_path / "alpha.webm"
    source = "color=red@0.25:s=64x32:r=25:d=0.2,format=yuva420p"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", codec, "-auto-alt-ref", 0, path)
    frames, told = read(path)
    np.testing.assert_allclose(frames.mean((0, 1, 2)), [0.25, 0, 0], atol=0.02)
    assert "transparent" in " ".join(told)


RANGE, MATRIX, TRANSFER = b"\x55\xb9\x81\x01", b"\x55\xb1\x81", b"\x55\xba\x81"  # Matroska


def tagged(ffmpeg, tmp_path, encoder, element, code):
    """A film of which Matroska alone states a matrix or a transfer, in place of the range."""
    path = tmp_path / "tagged.mkv"
    ffmpeg(*PATTERN, "-c:v", encoder, "-pix_fmt", "yuv420p", "-color_range", "tv", path)
    data = path.read_bytes()
    assert data.count(RANGE) == 1
    path.write_bytes(data.replace(RANGE, element + bytes([code])))
    return path


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
@pytest.mark.parametrize(("code", "weights"), [(1, BT709), (6, BT601), (9, BT2020)])
def test_a_matrix_that_the_container_alone_states_is_believed(
    encoder, code, weights, ffmpeg, tmp_path
):
    path = tagged(ffmpeg, tmp_path, encoder, MATRIX, code)
    frames, _ = read(path)
    yuv = planes(ffmpeg, path, (64, 128))
    agree(frames, by_matrix(yuv, *weights))
    for other in {BT709, BT601, BT2020} - {weights}:
        with pytest.raises(AssertionError):
            agree(frames, by_matrix(yuv, *other))


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
@pytest.mark.parametrize("code", [16, 18])
def test_high_dynamic_range_that_the_container_alone_states_is_refused(
    encoder, code, ffmpeg, tmp_path
):
    path = tagged(ffmpeg, tmp_path, encoder, TRANSFER, code)
    with pytest.raises(FramesError, match="high dynamic range"):
        read(path)
