"""What files say about when their frames are shown, against FFmpeg 9 and numpy.

Frames are numbered by how light they are. FFmpeg's program is that of imageio-ffmpeg.
"""

import re
import sys
import warnings
from fractions import Fraction
from itertools import accumulate, pairwise

import av
import made_media as made
import numpy as np
import pytest
from many_decoded import answers
from PIL import Image

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video import files
from stst.video.read import FramesWarning, open_video, probe, read_video

SIDE, STEP = 32, 5
FORMS = {  # of each ending: encoder, pixels and tick
    "mp4": ("libx264", "yuv420p", Fraction(1, 90000)),
    "mov": ("mjpeg", "yuvj420p", Fraction(1, 600)),
    "mkv": ("libx264", "yuv420p", Fraction(1, 1000)),
    "webm": ("libvpx-vp9", "yuv420p", Fraction(1, 1000)),
    "flv": ("flv", "yuv420p", Fraction(1, 1000)),
    "ts": ("libx264", "yuv420p", Fraction(1, 90000)),
    "gif": ("gif", "rgb8", Fraction(1, 100)),
}


UNSTATED = ("ts", "flv")  # how long the last frame is shown


def film(path, times, size=SIDE, rate=30):
    """Write frames, numbered, at these times in seconds; those of H.264 have B frames.

    Some containers state the rate too.
    """
    codec, pixels, tick = FORMS[path.suffix[1:]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = size, size, pixels
        stream.codec_context.time_base = stream.time_base = tick
        for number, time in enumerate(times):
            level = np.full((size, size, 3), 5 + STEP * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(level, "rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = int(time / tick + Fraction(1, 2)), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def lightness(frames):
    return 255 * frames.mean((1, 2, 3)).numpy()


def numbers(lights, of):
    """The number of each frame among all of a film."""
    apart = np.abs(np.asarray(lights)[:, None] - np.asarray(of))
    assert apart.min(1).max() < STEP / 2
    return apart.argmin(1).tolist()


def quietly(reader, *words, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FramesWarning)
        return reader(*words, **options)


def all_of(path):
    """How light every frame of a film is."""
    return lightness(quietly(read_video, path, frame_rate=7).frames)


def grey(ffmpeg, path, *words):
    """How light each frame is that FFmpeg gives, and the count of them."""
    data = ffmpeg("-i", path, *words, "-pix_fmt", "gray", "-f", "rawvideo", "-")
    return np.frombuffer(data, np.uint8).reshape(-1, SIDE * SIDE).mean(1)


def by_packets(path, rate):
    """The last frame whose time has come, from the times that PyAV gives; numpy."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        base = container.streams.video[0].time_base
    starts = [(frame.pts - frames[0].pts) * base for frame in frames]
    usual = sorted(b - a for a, b in pairwise(starts))[(len(starts) - 1) // 2]
    stated = 0 if path.suffix[1:] in UNSTATED else frames[-1].duration * base
    end = starts[-1] + (stated or usual)
    instants = [k / rate for k in range(int(end * rate) + 2) if k / rate < end]
    return (np.searchsorted(starts, instants, side="right") - 1).tolist()


MS = Fraction(1, 1000)
PATTERNS = {  # gaps between frames, in seconds
    "phone": [MS * (33 + (7 * k) % 11 - 5) for k in range(20)],
    "screen": [MS * (50, 50, 110, 50, 230)[k % 5] for k in range(20)],
    "a long gap": [MS * (1430 if k == 9 else 37) for k in range(20)],
}


CASES = [
    pytest.param(pattern, ending, marks=[pytest.mark.slow][: number % 3 != place])
    for place, pattern in enumerate(PATTERNS)
    for number, ending in enumerate(FORMS)
]


@pytest.mark.parametrize(("pattern", "ending"), CASES)
def test_frames_are_resampled_as_a_player_shows_them(pattern, ending, ffmpeg, tmp_path):
    late = Fraction(7, 3) if ending in ("mkv", "ts") else 0  # the first frame is not at 0
    times = [late + time for time in accumulate(PATTERNS[pattern], initial=Fraction(0))]
    path = film(tmp_path / f"a.{ending}", times)
    lights, rate = all_of(path), Fraction(25)
    with open_video(path, retime=rate) as clip:
        shown = numbers(lightness(clip.frames), lights)
        assert clip.frame_rate == rate
        assert clip.resampling.doubled == sum(shown.count(k) > 1 for k in set(shown))
        assert clip.resampling.dropped == len(set(range(shown[-1])) - set(shown))
    assert shown == by_packets(path, rate)
    theirs = grey(ffmpeg, path, "-vf", f"fps={rate}:round=up")
    theirs = numbers(theirs, grey(ffmpeg, path, "-fps_mode", "passthrough"))
    if ending not in UNSTATED:  # else FFmpeg guesses when the last frame ends
        assert abs(len(theirs) - len(shown)) <= 1  # and rounds it here
    assert all(a == b for a, b in zip(shown, theirs, strict=False))


@pytest.mark.parametrize("bug", ["nearest", "late"])
def test_a_planted_bug_of_resampling_is_caught(bug, ffmpeg, tmp_path, monkeypatch):
    wrong = {"nearest": "t - 1 / rate / 2", "late": "t + 1 / rate"}[bug]
    code = (
        "from stst.video import decode\nright = decode.shown_at\n"
        f"decode.shown_at = lambda times, end, rate: right([times[0], *({wrong} for t in "
        "times[1:])], end, rate)\ndecode.main()"
    )
    path = tmp_path / "a.mp4"
    lights = all_of(film(path, accumulate(PATTERNS["screen"], initial=Fraction(0))))
    monkeypatch.setattr(files, "DECODER", (sys.executable, "-P", "-c", code))
    with open_video(path, retime=25) as clip:
        assert numbers(lightness(clip.frames), lights) != by_packets(path, Fraction(25))


@pytest.mark.parametrize("rate", [24, 15, "60000/1001", 50])
def test_a_file_of_constant_rate_is_resampled_as_its_clip_is(rate, tmp_path):
    """Matroska's rounding of the times to 1 ms makes no difference."""
    path = film(tmp_path / "a.mkv", [Fraction(k, 30) for k in range(40)])
    clip = read_video(path)
    assert clip.frame_rate == 30
    resampled = read_video(path, retime=rate)
    assert resampled.frames.equal(clip.retime(rate).frames)
    assert resampled.frame_rate == Fraction(rate)


def test_gaps_in_a_film_of_30_a_second_leave_its_other_frames_in_place(tmp_path):
    places = [0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 20, 21, 22]
    path = film(tmp_path / "a.mkv", [Fraction(place, 30) for place in places])
    with open_video(path, retime=30) as clip:
        shown = numbers(lightness(clip.frames), all_of(path))
        assert shown == [max(k for k, p in enumerate(places) if p <= at) for at in range(23)]
        assert (clip.resampling.doubled, clip.resampling.dropped) == (2, 0)


def test_start_frames_and_every_count_the_new_frames(tmp_path):
    path = film(tmp_path / "a.mp4", accumulate(PATTERNS["screen"], initial=Fraction(0)))
    whole = read_video(path, retime=25).frames
    for choice in ({"start": 5}, {"frames": 9}, {"start": 3, "frames": 6, "every": 4}):
        part = read_video(path, retime=25, **choice)
        want = whole[choice.get("start", 0) :: choice.get("every", 1)][: choice.get("frames")]
        assert part.frames.equal(want)
        assert part.frame_rate == Fraction(25, choice.get("every", 1))
    with pytest.raises(FramesError, match="are needed"):
        read_video(path, retime=25, frames=len(whole) + 1)


def test_a_source_without_times_is_resampled_from_the_rate_given(tmp_path):
    levels = made.moving(6, 8, 8)
    np.save(tmp_path / "a.npy", levels)
    (tmp_path / "stills").mkdir()
    for index, level in enumerate(levels):
        Image.fromarray(level).save(tmp_path / "stills" / f"{index}.png")
    for path in (tmp_path / "a.npy", tmp_path / "stills"):
        clip = read_video(path, frame_rate=30)
        assert read_video(path, frame_rate=30, retime=20).frames.equal(clip.retime(20).frames)
        with pytest.raises(FramesError, match=r"does not state the times .* --fps 25"):
            read_video(path, retime=20)


@pytest.mark.parametrize("rate", [0, -25, "fast", float("nan"), 10**25, "1e999999999"])
def test_a_rate_to_resample_to_must_be_positive(rate, tmp_path):
    np.save(tmp_path / "a.npy", made.moving(3, 8, 8))
    with pytest.raises(FramesError, match="must be positive"):
        read_video(tmp_path / "a.npy", frame_rate=30, retime=rate)


def test_a_frame_that_is_shown_for_hours_is_refused_and_not_made(tmp_path):
    times = [Fraction(0), Fraction(1, 30), Fraction(2, 30) + 40_000]
    path = film(tmp_path / "a.mkv", times)
    with pytest.raises(FramesError, match=r"is too long: it lasts 4e\+04 s at 30"):
        read_video(path, retime=30)
    assert len(read_video(path, retime=30, frames=90)) == 90


def test_uneven_times_name_what_was_found_and_both_ways_out(tmp_path):
    path = film(tmp_path / "a.mp4", accumulate(PATTERNS["screen"], initial=Fraction(0)))
    with pytest.raises(FramesError) as caught:
        read_video(path)
    for words in ("50 to 230 ms apart", "frame 3 is the first", "--retime 30", "--fps 30"):
        assert words in str(caught.value)


# The rate of a file does not hang on its length or its container


RATES = ["24000/1001", "30000/1001", "60000/1001", "24", "25", "30", "50", "60"]
LENGTHS = (2, 3, 4, 9, 40)


OTHERS = [pytest.param(end, marks=pytest.mark.slow) for end in ("mkv", "mov", "webm", "flv", "ts")]


@pytest.mark.parametrize("ending", ["mp4", *OTHERS])
def test_a_rate_is_read_the_same_at_every_length_or_asked_for(ending, tmp_path):
    tick = FORMS[ending][2]
    lengths = LENGTHS[3:] if ending == "ts" else LENGTHS  # PyAV opens no shorter MPEG-TS
    cases = [(Fraction(rate), length) for rate in RATES for length in lengths]
    paths = [tmp_path / f"{index}.{ending}" for index in range(len(cases))]
    for path, (rate, length) in zip(paths, cases, strict=True):
        film(path, [k / rate for k in range(length)], 16, rate)
    sure = 0
    for (rate, _), answer in zip(cases, answers(paths), strict=True):
        rates = list(map(Fraction, answer["rates"]))
        # In so few frames the ticks are equally far apart: another rate, stated exactly.
        equal = rates == [1 / (int(1 / rate / tick + Fraction(1, 2)) * tick)]
        assert rate in rates or equal
        sure += rates == [rate]
    assert sure > 0.6 * len(cases)


@pytest.mark.slow
def test_a_gif_of_delays_in_centiseconds_has_its_whole_rate(tmp_path):
    cases = [(rate, n) for rate in (10, 12, 15, 20, 24, 25, 30, 50) for n in (7, 8, 12, 31)]
    paths = [
        film(tmp_path / f"{rate}_{frames}.gif", [Fraction(k, rate) for k in range(frames)], 16)
        for rate, frames in cases
    ]
    found = [(int(rate), n) for (_, n), (rate,) in zip(cases, rates_of(paths), strict=True)]
    assert found == cases


def rates_of(paths):
    return [answer["rates"] for answer in answers(paths)]


def test_a_rate_that_rounding_leaves_open_is_asked_for_and_can_be_said(tmp_path):
    rate = Fraction(30000, 1001)
    path = film(tmp_path / "a.flv", [k / rate for k in range(6)], rate=rate)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"framerate", b"framerat_"))
    with pytest.raises(FramesError, match=r"fit 30 or 30000/1001 \(29.97\).* --fps 30"):
        read_video(path)
    assert read_video(path, frame_rate="30000/1001").frame_rate == rate
    with pytest.raises(FramesError, match="contradicts"):
        read_video(path, frame_rate=25)
    path.write_bytes(data)  # which states it
    assert read_video(path).frame_rate == rate


def test_the_rate_of_a_part_is_that_of_the_file(tmp_path):
    path = film(tmp_path / "a.gif", [Fraction(k, 24) for k in range(40)])
    assert read_video(path).frame_rate == 24
    assert read_video(path, frames=3).frame_rate == 24  # 4, 4 and 4 cs: 25, if alone


# AVI has no times; frames that are hidden; several films; several sizes


PATTERN = "testsrc2=s=32x32:r=25:d=3"


def remuxed(ffmpeg, path, *encoder, cut=None, filters="null", more=()):
    whole = path.with_name(f"whole{path.suffix}")
    ffmpeg("-f", "lavfi", "-i", PATTERN, "-vf", filters, "-fps_mode", "vfr", *encoder, whole)
    if cut is None:
        return whole
    ffmpeg(*cut, "-i", whole, "-c", "copy", *more, path)
    return path


H264, HEVC = ("-c:v", "libx264"), ("-c:v", "libx265", "-tag:v", "hvc1")
OPEN = "open-gop=1:keyint=12:bframes=3:scenecut=0:log-level=none"
CUTS = {
    "edit list": ("a.mp4", (*H264, "-g", 25), ("-ss", 1.5)),
    "edit list, mov": ("a.mov", (*H264, "-g", 25), ("-ss", 0.7)),
    "open group, mp4": ("a.mp4", (*H264, "-x264-params", OPEN), ("-ss", 1.1)),
    "open group, no edit list": (
        *("a.mp4", (*H264, "-x264-params", OPEN), ("-ss", 1.1)),
        *("-use_editlist", 0),
    ),
    "open group, mkv": ("a.mkv", (*H264, "-x264-params", OPEN), ("-ss", 1.1)),
    "open group, hevc": ("a.mp4", (*HEVC, "-x265-params", OPEN), ("-ss", 1.1)),
    "open group, hevc, mkv": ("a.mkv", (*HEVC, "-x265-params", OPEN), ("-ss", 1.1)),
    "open group, hevc, ts": ("a.ts", (*HEVC, "-x265-params", OPEN), ("-ss", 1.1)),
    "open group, mpeg2": ("a.ts", ("-c:v", "mpeg2video", "-bf", 2, "-g", 12), ("-ss", 1.1)),
}


@pytest.mark.parametrize("cut", CUTS)
def test_frames_that_a_cut_hides_are_not_missed(cut, ffmpeg, tmp_path):
    name, encoder, where, *more = CUTS[cut]
    path = remuxed(ffmpeg, tmp_path / name, *encoder, cut=where, more=more)
    clip = read_video(path)  # no warning, which would be an error
    theirs = grey(ffmpeg, path, "-fps_mode", "passthrough")
    assert clip.frame_rate == 25
    assert len(clip) == len(theirs) < 75


def test_the_end_of_an_edit_list_is_kept(ffmpeg, tmp_path):
    path = remuxed(ffmpeg, tmp_path / "a.mp4", *H264, "-g", 25)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    assert int.from_bytes(data[at : at + 4]) == 3000
    data[at : at + 4] = (1000).to_bytes(4)
    path.write_bytes(data)
    assert len(read_video(path)) == len(grey(ffmpeg, path)) == 25


def test_frames_that_are_lost_from_a_cut_film_are_told(ffmpeg, tmp_path):
    path = remuxed(
        ffmpeg, tmp_path / "a.mp4", *H264, "-g", 25, "-movflags", "faststart", cut=("-ss", 1.5)
    )
    ffmpeg("-i", path, "-c", "copy", "-movflags", "faststart", tmp_path / "front.mp4")
    data = (tmp_path / "front.mp4").read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.warns(FramesWarning) as caught:
        read_video(path)
    assert re.search(
        r"gave \d+ frames, \d+ fewer than it", " ".join(str(w.message) for w in caught)
    )


@pytest.mark.parametrize("encoder", [H264, ("-c:v", "mpeg4", "-bf", 2)], ids=["h264", "mpeg4"])
def test_an_avi_is_read_by_the_places_of_its_frames(encoder, ffmpeg, tmp_path):
    path = remuxed(ffmpeg, tmp_path / "a.avi", *encoder)
    clip = read_video(path)
    assert (len(clip), clip.frame_rate) == (75, 25)
    gaps = "select='not(eq(mod(n,5),3))'"
    path = remuxed(ffmpeg, tmp_path / "b.avi", "-c:v", "mpeg4", filters=gaps)
    with pytest.raises(FramesError, match=r"40 to 80 ms apart .*--retime"):
        read_video(path)
    with open_video(path, retime=25) as film_of_gaps:
        assert (len(film_of_gaps), film_of_gaps.resampling.doubled) == (75, 15)


def test_an_avi_of_a_fine_clock_is_not_missing_its_empty_frames(ffmpeg, tmp_path):
    remuxed(ffmpeg, tmp_path / "a.mp4", *H264)
    ffmpeg("-i", tmp_path / "whole.mp4", "-c", "copy", tmp_path / "a.avi")
    clip = read_video(tmp_path / "a.avi")
    assert (len(clip), clip.frame_rate) == (75, 25)


def short_avi(path):
    """Six frames, and where the second begins among the bytes."""
    frames = made.rgb_frames(made.moving(6, 32, 48), "yuvj420p")
    data = made.write(path, frames, codec="mjpeg").read_bytes()
    return data, data.index(b"00dc", data.index(b"00dc", data.index(b"movi")) + 4)


def test_a_frame_lost_from_an_avi_is_told_of_though_its_index_is_lost_too(tmp_path):
    path = tmp_path / "a.avi"
    data, second = short_avi(path)
    path.write_bytes(data[: second - 200] + data[second - 110 :])
    with pytest.warns(FramesWarning, match="gave 5 frames, 1 fewer than it declares"):
        read_video(path)


def test_one_frame_tells_the_length_and_rate_of_a_short_avi_without_an_index(tmp_path):
    path = tmp_path / "a.avi"
    data, _ = short_avi(path)
    path.write_bytes(data.replace(b"idx1", b"JUNK"))
    known = probe(path)
    assert (known.declared, known.rate) == (6, 25)


UNCOUNTED = {"mpg": ("-c:v", "mpeg2video", "-bf", 2), "nut": H264}


@pytest.mark.parametrize("ending", UNCOUNTED)
def test_a_short_film_whose_length_is_a_guess_declares_none(ending, ffmpeg, tmp_path):
    path = tmp_path / f"a.{ending}"
    ffmpeg("-f", "lavfi", "-i", PATTERN, "-frames:v", 6, *UNCOUNTED[ending], path)
    assert probe(path).declared is None
    assert len(read_video(path)) == 6


def test_a_codec_that_the_container_cannot_name_is_told_of(ffmpeg, tmp_path):
    path = tmp_path / "a.ts"
    ffmpeg("-f", "lavfi", "-i", PATTERN, "-frames:v", 6, "-c:v", "libaom-av1", "-cpu-used", 8, path)
    with pytest.raises(FramesError, match="no video stream that FFmpeg knows"):
        read_video(path)


def two_films(path, default):
    still = av.stream.Disposition
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", 25) for _ in range(2)]
        for number, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = 32 + 16 * number, 32, "bgr0"
            stream.disposition = still.default if number in default else still(0)
        for number, stream in enumerate(streams):
            for index, frame in enumerate(
                made.rgb_frames(made.moving(4, 32, 32 + 16 * number), "bgr0")
            ):
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("default", "number"), [((0, 1), 1), ((0,), 1), ((1,), 2)])
def test_of_several_films_the_default_one_is_read_and_the_others_are_told_of(
    default, number, tmp_path
):
    with pytest.warns(FramesWarning, match=f"has 2 films; only film {number} was read"):
        clip = read_video(two_films(tmp_path / "a.mkv", default))
    assert clip.size == (32, 16 + 16 * number)


@pytest.mark.parametrize("options", [{}, {"width": 16}, {"every": 39}])
def test_a_change_of_size_is_refused_whatever_is_made_of_the_frames(options, ffmpeg, tmp_path):
    film(tmp_path / "a.ts", [Fraction(k, 25) for k in range(20)], 32)
    film(tmp_path / "b.ts", [Fraction(k, 25) for k in range(20, 40)], 64)
    path = tmp_path / "both.ts"
    path.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    with pytest.raises(FramesError, match=r"changes size at frame 20, from 32x32 to 64x64 px"):
        read_video(path, **options)
    assert len(quietly(read_video, path, frames=20, width=16)) == 20


PLANTED = {  # the bug, and the test that must fail
    "hidden frames are counted": (
        "reader.declared = lambda container, stream: stream.frames",
        lambda ffmpeg, tmp: test_frames_that_a_cut_hides_are_not_missed("edit list", ffmpeg, tmp),
    ),
    "those before the first key frame are counted": (
        "reader.Video.hidden = property(lambda self: 0, lambda self, count: None)",
        lambda ffmpeg, tmp: test_frames_that_a_cut_hides_are_not_missed(
            "open group, no edit list", ffmpeg, tmp
        ),
    ),
    "the average rate": (
        "reader.Video.rates = lambda self: [self._stream.average_rate]",
        lambda ffmpeg, tmp: test_the_rate_of_a_part_is_that_of_the_file(tmp),
    ),
    "the index of an AVI alone": (
        "reader.declared = lambda container, stream: len(stream.index_entries)",
        lambda ffmpeg, tmp: test_a_frame_lost_from_an_avi_is_told_of_though_its_index_is_lost_too(
            tmp
        ),
    ),
    "the end of a short film is not seen": (
        "reader.AHEAD = 6",
        lambda ffmpeg, tmp: (
            test_one_frame_tells_the_length_and_rate_of_a_short_avi_without_an_index(tmp)
        ),
    ),
    "a guess believed": (
        "from stst.video import container; container.UNCOUNTED = ()",
        lambda ffmpeg, tmp: test_a_short_film_whose_length_is_a_guess_declares_none(
            "mpg", ffmpeg, tmp
        ),
    ),
    "another film": (
        "reader.first_film = lambda streams: streams[0]",
        lambda ffmpeg, tmp: (
            test_of_several_films_the_default_one_is_read_and_the_others_are_told_of((1,), 2, tmp)
        ),
    ),
}


@pytest.mark.parametrize(("bug", "check"), PLANTED.values(), ids=PLANTED)
def test_a_planted_bug_is_caught(bug, check, ffmpeg, tmp_path, monkeypatch):
    code = f"from stst.video import decode, reader\n{bug}\ndecode.main()"
    monkeypatch.setattr(files, "DECODER", (sys.executable, "-P", "-c", code))
    with pytest.raises((AssertionError, pytest.fail.Exception, FramesWarning)) as caught:
        check(ffmpeg, tmp_path)
    assert "NameError" not in str(caught.value)  # the bug was planted, not misspelt
