"""Animated PNG, WebP, AVIF and GIF, against Pillow, FFmpeg 9 and what their formats define."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from images_of_tests import HALF, IMAGES, LEVELS, STRIPES, animation, by_pillow, read, with_alpha
from many_decoded import decoded
from PIL import Image
from test_second_opinion import BT601, BT709, by_matrix

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video.read import probe, read_video

# ---------------------------------------------------------------- one file of several frames


@pytest.mark.parametrize("alpha", [None, STRIPES, HALF], ids=["opaque", "holes", "half"])
@pytest.mark.parametrize("ending", ["webp", "png", "avif"])
def test_an_animation_has_the_frames_that_pillow_has(ending, alpha, tmp_path):
    images = IMAGES if alpha is None else with_alpha(alpha)
    how = {"avif": {"quality": 100, "subsampling": "4:4:4"}, "webp": {"lossless": True}}
    path = animation(tmp_path / f"a.{ending}", images, duration=40, **how.get(ending, {}))
    frames, told = read(path)
    np.testing.assert_allclose(frames, by_pillow(path), atol=0.01 if ending == "avif" else 1e-6)
    wanted = [] if alpha is None else ["has transparent pixels; they are shown over black"]
    assert told == wanted


@pytest.mark.parametrize("still", [True, False], ids=["still", "animation"])
def test_an_avif_whose_colours_are_multiplied_already_looks_the_same(still, tmp_path):
    shown = []
    for multiplied in (False, True):
        how = {"quality": 100, "subsampling": "4:4:4", "alpha_premultiplied": multiplied}
        path = tmp_path / f"{multiplied}.avif"
        if still:
            path.mkdir()
            for number, image in enumerate(with_alpha(HALF)):
                image.save(path / f"{number}.avif", **how)
        else:
            animation(path, with_alpha(HALF), duration=40, **how)
        shown.append(read(path)[0])
    np.testing.assert_allclose(*shown, atol=0.02)


def test_a_lossy_animation_is_decoded_as_pillow_does(tmp_path):
    path = animation(tmp_path / "a.webp", duration=40, quality=80)
    np.testing.assert_allclose(read(path)[0], by_pillow(path), atol=1e-6)


def test_a_clip_of_an_animation_has_its_rate(tmp_path):
    path = animation(tmp_path / "a.webp", duration=[33, 33, 34] * 2)
    assert read_video(path).frame_rate == probe(path).rate == 30


@pytest.mark.parametrize(
    ("delays", "rate"), [([33, 33, 34] * 2, 30), ([40] * 6, 25), ([16, 17, 17] * 2, 60)]
)
@pytest.mark.parametrize("ending", ["webp", "avif"])
def test_delays_of_a_millisecond_are_those_of_a_rate(ending, delays, rate, tmp_path):
    path = animation(tmp_path / f"a.{ending}", duration=delays)
    known = decoded(path)[1]
    assert (known["rates"], known["remarks"]) == ([str(rate)], [])


@pytest.mark.parametrize("ending", ["webp", "avif", "png"])
def test_uneven_delays_are_told_and_a_rate_asked_for(ending, tmp_path):
    path = animation(tmp_path / f"a.{ending}", duration=[40, 40, 120, 40, 40, 40])
    with pytest.raises(FramesError, match="its frames 40 to 120 ms apart"):
        read_video(path)


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "60", "25/2"])
@pytest.mark.parametrize("kind", ["apng", "avif"])
def test_exact_rates_of_ffmpeg_are_read_exactly(kind, rate, ffmpeg, tmp_path):
    path = tmp_path / f"a.{kind}"
    avif = ("-c:v", "libaom-av1", "-cpu-used", 8, "-pix_fmt", "yuv444p")
    source = f"testsrc2=s=64x48:r={rate}:d=0.3"
    ffmpeg("-f", "lavfi", "-i", source, *(avif if kind == "avif" else ("-f", "apng")), path)
    assert decoded(path)[1]["rates"] == [rate]


def blended(path):
    """Frames of an animated PNG as its specification says: the oracle of Pillow and FFmpeg."""
    with Image.open(path) as image:
        canvas = np.zeros((*image.size[::-1], 4))
    frames, control, head = [], None, b""
    for name, body in chunks(path.read_bytes()):
        if name == b"IHDR":
            head = body
        elif name == b"fcTL":
            control = struct.unpack(">IIIIIHHBB", body)
        elif name in (b"IDAT", b"fdAT") and control:
            part = body if name == b"IDAT" else body[4:]
            _, width, height, left, top, _, _, dispose, blend = control
            small = png(struct.pack(">II", width, height) + head[8:], part)
            new = cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_UNCHANGED)
            new = new[..., [2, 1, 0, 3]] / 255
            place = (slice(top, top + height), slice(left, left + width))
            before = canvas.copy()
            under = canvas[place]
            alpha = new[..., 3:] + under[..., 3:] * (1 - new[..., 3:])
            colour = new[..., :3] * new[..., 3:] + under[..., :3] * under[..., 3:] * (
                1 - new[..., 3:]
            )
            over = np.concatenate([colour / np.maximum(alpha, 1e-9), alpha], -1)
            canvas[place] = over if blend else new
            frames.append(canvas[..., :3] * canvas[..., 3:])
            if dispose == 1:
                canvas[place] = 0
            elif dispose == 2:
                canvas = before if len(frames) > 1 else np.zeros_like(canvas)
    return np.array(frames)


def chunks(data, place=8):
    while place < len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        yield name, data[place + 8 : place + 8 + size]
        place += 12 + size


def png(head, pixels):
    parts = [(b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


@pytest.mark.parametrize("alpha", [STRIPES, HALF], ids=["holes", "half"])
@pytest.mark.parametrize("blend", [0, 1])
@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_frames_of_a_png_are_blended_as_is_defined(disposal, blend, alpha, tmp_path):
    images = with_alpha(alpha)
    path = animation(tmp_path / "a.png", images, duration=40, disposal=disposal, blend=blend)
    np.testing.assert_allclose(read(path)[0], blended(path), atol=2 / 255)


def test_the_still_of_an_animated_png_is_no_frame_of_it(tmp_path):
    path = animation(tmp_path / "a.png", duration=40, default_image=True)
    frames, told = read(path)
    assert np.array_equal(np.round(frames * 255), LEVELS[1:])
    assert not told


@pytest.mark.parametrize("disposal", range(4))
def test_a_gif_has_the_frames_that_pillow_has(disposal, tmp_path):
    path = animation(tmp_path / "a.gif", with_alpha(STRIPES), duration=40, disposal=disposal)
    np.testing.assert_allclose(read(path)[0], by_pillow(path), atol=1e-6)


def test_16_bit_frames_of_an_animated_png_are_kept(ffmpeg, tmp_path):
    path = tmp_path / "a.apng"
    source = "gradients=s=64x48:r=25:d=0.12,format=rgb48be"
    ffmpeg("-f", "lavfi", "-i", source, "-f", "apng", "-pix_fmt", "rgb48be", path)
    raw = ffmpeg("-i", path, "-pix_fmt", "rgb48le", "-f", "rawvideo", "-")
    wanted = np.frombuffer(raw, np.uint16).reshape(-1, 48, 64, 3) / 65535
    np.testing.assert_allclose(read(path)[0], wanted, atol=1e-6)


# ---------------------------------------------------------------- AVIF


@pytest.mark.parametrize("form", ["yuv444p", "yuv420p", "yuv444p10le"])
@pytest.mark.parametrize(("name", "weights"), [("bt709", BT709), ("smpte170m", BT601)])
def test_an_avif_is_converted_by_the_matrix_that_it_states(name, weights, form, ffmpeg, tmp_path):
    path = tmp_path / "a.avif"
    how = ("-cpu-used", 8, "-pix_fmt", form, "-colorspace", name, "-color_range", "tv")
    source = "testsrc2=s=64x48:r=25:d=0.12"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libaom-av1", *how, path)
    raw = ffmpeg("-i", path, "-map", "0:v:1", "-pix_fmt", "yuv444p16le", "-f", "rawvideo", "-")
    planes = np.frombuffer(raw, np.uint16).reshape(-1, 3, 48, 64) / 256
    wanted, frames = by_matrix(planes, *weights), read(path)[0]
    assert frames.shape == wanted.shape
    assert np.percentile(np.abs(frames - wanted), 70) < 1 / 255
    other = by_matrix(planes, *(BT601 if weights == BT709 else BT709))
    assert np.percentile(np.abs(frames - other), 70) > 2 / 255


@pytest.mark.parametrize("transfer", [16, 18])
def test_an_avif_of_high_dynamic_range_is_refused(transfer, ffmpeg, tmp_path):
    path = tmp_path / "a.avif"
    how = ("-c:v", "libaom-av1", "-cpu-used", 8, "-pix_fmt", "yuv420p10le")
    source = "testsrc2=s=64x48:r=25:d=0.12"
    ffmpeg("-f", "lavfi", "-i", source, *how, "-colorspace", "bt2020nc", path)
    stated = b"colrnclx\0\2\0\2\0\x09"
    data = path.read_bytes()
    assert stated in data
    path.write_bytes(data.replace(stated, b"colrnclx\0\x09\0" + bytes([transfer]) + b"\0\x09"))
    with pytest.raises(FramesError, match="high dynamic range"):
        read(path)
