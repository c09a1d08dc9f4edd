"""Files of unusual form: streams, sides, rotation, uneven time (C7 to C11, C14)."""

import re
import struct
from fractions import Fraction

import av
import made_media as made
import numpy as np
import pytest
from many_decoded import answers

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video.frames import to_uint8
from stst.video.read import FramesWarning, probe, read_video

# C7: which stream


def add_sound(container, seconds=0.4):
    stream = container.add_stream("pcm_s16le", rate=8000)
    sound = av.AudioFrame.from_ndarray(np.zeros((1, int(8000 * seconds)), np.int16), "s16", "mono")
    sound.sample_rate = 8000
    return stream, sound


def films(path, levels, *, sound=False, cover=False):
    """Write one film of each array of levels, and sound, and a cover picture, into a file."""
    with av.open(str(path), "w") as container:
        streams = []
        if cover:
            picture = container.add_stream("png", 25)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "rgb24"
            picture.disposition = av.stream.Disposition.attached_pic
            streams.append((picture, np.zeros((1, 32, 32, 3), np.uint8), "rgb24"))
        for film in levels:
            stream = container.add_stream("ffv1", 25)
            stream.width, stream.height, stream.pix_fmt = film.shape[2], film.shape[1], "bgr0"
            streams.append((stream, film, "bgr0"))
        if sound:
            track, noise = add_sound(container)
        for stream, film, name in streams:
            for index, frame in enumerate(made.rgb_frames(film, name)):
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        if sound:
            container.mux(track.encode(noise))
            container.mux(track.encode(None))
    return path


def test_sound_alone_is_refused(tmp_path):
    with pytest.raises(FramesError, match="no video stream"):
        read_video(films(tmp_path / "sound.mkv", [], sound=True))


def test_the_first_of_two_films_is_read_and_sound_is_ignored(tmp_path):
    two = [made.moving(4), made.moving(6, 32, 32, seed=1)]
    path = films(tmp_path / "two.mkv", two, sound=True)
    with pytest.warns(FramesWarning, match="has 2 films; only film 1 was read"):
        clip = read_video(path)
    assert np.array_equal(to_uint8(clip.frames), two[0])


def test_a_film_with_a_cover_is_read_and_a_cover_alone_is_refused(tmp_path):
    levels = made.moving(4)
    clip = read_video(films(tmp_path / "a.mp4", [levels], cover=True))
    assert clip.frames.shape == (4, 3, 48, 64)
    with pytest.raises(FramesError, match="cover picture"):
        read_video(films(tmp_path / "b.mp4", [], sound=True, cover=True))


def test_a_cover_picture_before_the_film_is_passed_over():
    from stst.video.container import Disposition, first_film

    class Stream:
        def __init__(self, disposition):
            self.disposition = disposition

    cover, film = Stream(Disposition.attached_pic), Stream(Disposition.default)
    assert first_film((cover, film)) is film
    with pytest.raises(FramesError, match="cover picture"):
        first_film((cover,))


# C8: one frame, odd sides


def test_one_frame_is_no_clip(tmp_path):
    path = made.write(tmp_path / "one.mkv", made.rgb_frames(made.moving(1), "bgr0"))
    with pytest.raises(FramesError, match="2 are needed"):
        read_video(path)


def test_odd_sides_are_read_whole(tmp_path):
    levels = made.moving(3, 33, 35)
    path = made.write(tmp_path / "odd.mkv", made.rgb_frames(levels, "bgr0"))
    assert np.array_equal(to_uint8(read_video(path).frames), levels)


# C9: rotation, as a telephone writes it: the matrix of the track header


def test_rotation_is_applied_once(made_once, tmp_path):
    data = bytearray((made_once / "fast.mp4").read_bytes())
    upright = read_video(made_once / "fast.mp4").frames
    at = data.index(b"tkhd") + 4 + 40  # the matrix in a track header of version 0
    unit = 1 << 16
    assert struct.unpack_from(">9i", data, at) == (unit, 0, 0, 0, unit, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, at, 0, unit, 0, -unit, 0, 0, 48 * unit, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    turned = read_video(tmp_path / "turned.mp4").frames
    assert turned.equal(upright.rot90(-1, (2, 3)))
    assert (probe(tmp_path / "turned.mp4").size[1], turned.shape[3]) == (48, 48)


# C10, C14: time


def at_times(path, times, count=8):
    frames = made.rgb_frames(made.moving(count), "bgr0")
    return made.write(path, frames, times=times)


@pytest.mark.parametrize(
    "times",
    [[0, 1, 2, 4, 5, 6, 7, 8], [0, 2, 3, 7, 8, 12, 13, 15]],
    ids=["a frame is missing", "variable rate"],
)
def test_uneven_times_need_a_frame_rate(tmp_path, times):
    path = at_times(tmp_path / "uneven.mkv", times)
    with pytest.raises(FramesError, match=r"no constant frame rate: .* frame \d is the first irr"):
        read_video(path)
    with pytest.warns(FramesWarning, match=r"40 to \d+ ms apart .*; these times are not kept"):
        assert read_video(path, frame_rate=25).frame_rate == 25
    even = at_times(tmp_path / "even.mkv", list(range(8)))
    assert read_video(even).frame_rate == 25


def without_rate(films, kind):
    """A film whose header states no rate, for which FFmpeg takes one of its own."""
    if kind == "y4m":
        return b"YUV4MPEG2 W16 H16 F0:0 C420\n" + (b"FRAME\n" + bytes(384)) * 6
    if kind == "avi":
        data = bytearray(films["mpeg4.avi"])
        struct.pack_into("<2I", data, data.index(b"vids") + 20, 1, 0)
        return bytes(data)
    return re.sub(rb"(!\xf9\x04.)..(.\0)", rb"\1\0\0\2", films["plain.gif"], flags=re.DOTALL)


@pytest.mark.parametrize("kind", ["y4m", "avi", "gif"])
def test_a_rate_that_is_not_stated_is_asked_for(small_films, tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(without_rate(small_films, kind))
    with av.open(str(path)) as container:
        assert container.streams.video[0].base_rate in (10, 25)  # a naive reader takes it
    with pytest.raises(FramesError, match="no constant frame rate"):
        read_video(path)
    assert read_video(path, frame_rate=12).frame_rate == 12


def test_a_frame_lost_on_the_way_is_noticed(made_once, tmp_path):
    path = tmp_path / "lost.mkv"
    with av.open(str(made_once / "a.mkv")) as source, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.dts is not None and index != 4:
                packet.stream = stream
                copy.mux(packet)
    with pytest.raises(FramesError, match="frame 4 is the first irregular"):
        read_video(path)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_the_rate_is_read_exactly(tmp_path, suffix):
    rates = ["24000/1001", "30000/1001", "60000/1001", "24", "50", "125/2"]
    paths = [tmp_path / f"{index}{suffix}" for index in range(len(rates))]
    for path, rate in zip(paths, rates, strict=True):
        frames = made.rgb_frames(made.moving(5), "yuv420p")
        made.write(path, frames, codec="mpeg4", rate=rate)
    assert [one["rates"] for one in answers(paths)] == [[rate] for rate in rates]


def test_interlaced_frames_are_read_with_a_warning(tmp_path):
    frames = made.rgb_frames(made.moving(4, 96, 96), "yuv420p")
    options = {"x264-params": "tff=1"}
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", 25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.warns(FramesWarning, match="interlaced"):
        read_video(tmp_path / "a.mp4")


def test_pixels_that_are_not_square_are_read_with_a_warning(tmp_path):
    frames = made.rgb_frames(made.moving(4), "yuv420p")
    tags = {"sample_aspect_ratio": Fraction(4, 3)}
    path = made.write(tmp_path / "a.mp4", frames, codec="mpeg4", tags=tags)
    with pytest.warns(FramesWarning, match="not square"):
        read_video(path)
