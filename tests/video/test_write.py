"""Writing: what is in the file is what was meant (fault table, part D)."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction

import av
import made_media as made
import numpy as np
import pytest
import torch

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video import write
from stst.video import write as encode
from stst.video.files import Limits
from stst.video.film import Film
from stst.video.frames import Clip, to_uint8
from stst.video.read import digest, probe, read_video
from stst.video.write import write_video

SUFFIXES = [".webm", ".mp4"]


def clip_of(levels, rate=25):
    frames = torch.from_numpy(levels).permute(0, 3, 1, 2).float() / 255
    return Clip(frames.contiguous(), Fraction(rate))


@pytest.fixture
def clip():
    return clip_of(made.moving(4))


@pytest.mark.parametrize("rate", ["25", "60000/1001", "10800000/180179"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_frame_rate_is_kept_exactly(tmp_path, rate, suffix):
    path = tmp_path / f"a{suffix}"
    write_video(clip_of(made.moving(3, 16, 16), rate), path)
    assert read_video(path).frame_rate == Fraction(rate)


@pytest.mark.parametrize("size", [(33, 35), (2, 2), (1, 1), (16, 128)])
def test_the_master_holds_the_frames_exactly(tmp_path, size, globals_unchanged):
    dice = torch.Generator().manual_seed(0)
    clip = Clip(torch.rand(3, 3, *size, generator=dice), Fraction(25))
    written = write_video(clip, tmp_path / "a.webm")
    back = read_video(tmp_path / "a.webm").frames
    assert np.array_equal(to_uint8(back), to_uint8(clip.frames))
    assert (written.lossless, written.mean_difference, written.max_difference) == (True, 0, 0)


def test_noise_that_libvpx_cannot_look_ahead_in_is_written(tmp_path, monkeypatch):
    dice = torch.Generator().manual_seed(1)
    frames = (0.5 + 0.2 * torch.randn(4, 3, 96, 96, generator=dice)).clamp(0, 1)
    write_video(Clip(frames, Fraction(25)), tmp_path / "a.webm")
    back = read_video(tmp_path / "a.webm").frames
    np.testing.assert_array_equal(to_uint8(back), to_uint8(frames))
    looking = {key: v for key, v in encode.VP9_LOSSLESS.items() if key != "lag-in-frames"}
    monkeypatch.setattr(encode, "VP9_LOSSLESS", looking)  # the planted bug
    with pytest.raises(FramesError):
        write_video(Clip(frames, Fraction(25)), tmp_path / "b.webm")


def test_the_master_is_tagged_for_browsers(tmp_path, clip):
    write_video(clip, tmp_path / "a.webm")
    with av.open(str(tmp_path / "a.webm")) as container:
        context = container.streams.video[0].codec_context
        tags = context.colorspace, context.color_primaries, context.color_trc
        assert (context.codec.name, context.pix_fmt) == ("vp9", "gbrp")
        assert (*tags, context.color_range) == (0, 1, 13, 2)  # H.273: GBR, BT.709, sRGB; full


def test_the_preview_is_h264_bt709_that_starts_at_once(tmp_path, clip):
    written = write_video(clip, tmp_path / "a.mp4")
    assert not written.lossless
    assert 0 < written.mean_difference < 8
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        tags = context.colorspace, context.color_primaries, context.color_trc
        assert (context.codec.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (*tags, context.color_range) == (1, 1, 1, 1)  # BT.709, limited
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_odd_sides_of_the_preview_are_padded_by_their_edge(tmp_path):
    levels = np.full((2, 33, 35, 3), 128, np.uint8)
    levels[:, :, 32:], levels[:, 30:] = 255, 0
    write_video(clip_of(levels), tmp_path / "a.mp4")
    back = to_uint8(read_video(tmp_path / "a.mp4").frames).astype(int)
    assert back.shape == (2, 34, 36, 3)
    assert np.abs(back[:, :, 35] - back[:, :, 34]).max() <= 3
    assert np.abs(back[:, 33] - back[:, 32]).max() <= 3


def test_colour_bars_survive_the_preview(tmp_path):
    bars = np.repeat((made.bars() * 255).astype(np.uint8)[None], 2, axis=0)
    write_video(clip_of(bars), tmp_path / "a.mp4")
    gap = to_uint8(read_video(tmp_path / "a.mp4").frames).astype(int) - bars
    inside = np.arange(128) % 16 // 4 % 3 != 0  # four px off the edges
    assert np.abs(gap[:, :, inside]).max() <= 4


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_clip_gives_the_same_bytes(tmp_path, clip, suffix):
    one, two = (write_video(clip, tmp_path / f"{n}{suffix}") for n in "ab")
    assert one.sha256 == two.sha256 == digest(tmp_path / f"a{suffix}")
    other = write_video(clip_of(made.moving(4, seed=1)), tmp_path / f"a{suffix}")
    assert other.sha256 != one.sha256  # and a file of that name is replaced
    assert digest(tmp_path / f"a{suffix}") == other.sha256


def test_the_clipped_share_is_stated(tmp_path):
    frames = torch.full((2, 3, 4, 4), 0.5)
    frames[0, 0], frames[1, 2, 0] = 0, 1
    written = write_video(Clip(frames, Fraction(25)), tmp_path / "a.webm")
    assert written.clipped == pytest.approx((16 + 4) / 96)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_clip_on_disk_is_written_to_the_same_bytes_a_frame_at_a_time(
    tmp_path, clip, suffix, watched
):
    film = Film(clip.size, clip.frame_rate)
    for frame in clip.frames:
        film.append(frame)
    footage = watched(film)
    written = write_video(footage, tmp_path / f"a{suffix}")
    assert footage.most == 1
    path = tmp_path / f"b{suffix}"
    assert replace(written, path=path) == write_video(clip, path)


def test_a_clip_beyond_the_readers_default_limits_can_be_written(tmp_path):
    """The reader's limits are for strange files; one written here is as long as it is."""
    wide = Clip(torch.rand(2, 3, 64, Limits.side + 4), Fraction(25))
    written = write_video(wide, tmp_path / "wide.webm")
    assert written.lossless
    with pytest.raises(FramesError, match=r"Limits\.side"):
        read_video(tmp_path / "wide.webm")


@pytest.mark.parametrize("name", ["a.avi", "a", "a.gif"])
def test_another_suffix_is_refused(tmp_path, clip, name):
    with pytest.raises(FramesError, match=r"\.webm .*\.mp4"):
        write_video(clip, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_one_frame_is_refused(tmp_path):
    with pytest.raises(FramesError, match="at least 2"):
        write_video(clip_of(made.moving(1)), tmp_path / "a.webm")


@pytest.mark.parametrize(
    ("rate", "told"),
    [("29.970029970029970029", "no file can state.*30000/1001"), (1001, r"1001 frames/s.*retime")],
)
def test_a_rate_that_a_file_cannot_state_is_refused(tmp_path, clip, rate, told):
    with pytest.raises(FramesError, match=told):
        write_video(Clip(clip.frames, rate), tmp_path / "a.webm")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_refused(tmp_path, clip):
    with pytest.raises(FramesError, match=r"none.a\.webm could not be written: No such file"):
        write_video(clip, tmp_path / "none" / "a.webm")


# Encoders that do wrong: each must be found out, leave the old file and nothing beside it


def drops_a_frame(levels, rate, path):
    encode.encode_master(list(levels)[:-1], rate, path)


def crops(levels, rate, path):
    encode.encode_master((frame[:-2] for frame in levels), rate, path)


def another_rate(levels, rate, path):
    encode.encode_master(levels, rate * Fraction(1001, 1000), path)


def one_level_off(levels, rate, path):
    changed = list(levels)
    changed[-1][5, 5, 1] ^= 1
    encode.encode_master(changed, rate, path)


def writes_nothing(levels, rate, path):
    pass


def stops_half_way(levels, rate, path):
    encode.encode_master(levels, rate, path)
    path.write_bytes(path.read_bytes()[:200])


def lossy(levels, rate, path):
    encode.encode_preview(levels, rate, path)


WRONG = [drops_a_frame, crops, another_rate, one_level_off, writes_nothing, stops_half_way]


@pytest.mark.filterwarnings("ignore::stst.video.read.FramesWarning")
@pytest.mark.parametrize("wrong", [*WRONG, lossy], ids=lambda encoder: encoder.__name__)
def test_an_encoder_that_does_wrong_is_found_out(tmp_path, clip, monkeypatch, wrong):
    path = tmp_path / "a.webm"
    path.write_bytes(b"the old file")
    monkeypatch.setitem(write.ENCODERS, ".webm", wrong)
    with pytest.raises(FramesError):
        write_video(clip, path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.webm"]
    assert path.read_bytes() == b"the old file"
    monkeypatch.setitem(write.ENCODERS, ".webm", encode.encode_master)
    write_video(clip, path)


def test_a_preview_in_wrong_colours_is_found_out(tmp_path, monkeypatch):
    bars = np.repeat((made.bars() * 255).astype(np.uint8)[None], 2, axis=0)
    swapped = lambda levels: encode_yuv(levels[..., ::-1].copy())  # noqa: E731
    encode_yuv = encode._to_yuv
    monkeypatch.setattr(encode, "_to_yuv", swapped)
    with pytest.raises(FramesError, match="levels of luma"):
        write_video(clip_of(bars), tmp_path / "a.mp4")


@pytest.mark.slow
def test_a_full_disk_is_reported_and_leaves_the_old_file(tmp_path):
    (tmp_path / "a.webm").write_bytes(b"the old file")
    code = """
import resource, signal, sys, torch
from fractions import Fraction
from stst.errors import FramesError
from stst.video.frames import Clip
from stst.video.write import write_video
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_video(Clip(torch.rand(4, 3, 64, 64), Fraction(25)), sys.argv[1])
except FramesError as error:
    print(error)
"""
    done = run(code, tmp_path / "a.webm")
    assert "could not be written" in done.stdout, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["a.webm"]
    assert (tmp_path / "a.webm").read_bytes() == b"the old file"


def run(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_kill_while_writing_leaves_a_whole_file(tmp_path):
    code = """
import sys, torch
from fractions import Fraction
from stst.video.frames import Clip
from stst.video.write import write_video
clip = Clip(torch.rand(8, 3, 64, 64), Fraction(25))
write_video(clip, sys.argv[1])
print("ready", flush=True)
while True:
    write_video(clip, sys.argv[1])
"""
    path = tmp_path / "a.webm"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
    assert len(read_video(path)) == 8
    assert probe(path).declared == 8
