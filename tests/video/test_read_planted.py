"""Bugs planted in the decoding process, or in the reader, each caught by the test of its fault."""

import sys

import pytest
import test_read_faults as faults
import test_read_forms as forms
import test_second_opinion as opinion

from stst.video import files, read

CROPPING = """
whole = reader.to_rgb
def cropped(frame, tags):
    rgb, transparent = whole(frame, tags)
    return rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2], transparent
reader.to_rgb = cropped
"""
TWICE = "once = reader.upright; reader.upright = lambda rgb, f: once(once(rgb, f), f)"
TWO_FILMS = forms.test_the_first_of_two_films_is_read_and_sound_is_ignored
UNEVEN = [0, 2, 3, 7, 8, 12, 13, 15]
TRUSTING = "reader.Video.rates = lambda self: [self._stream.base_rate]"
BUGS = {  # the bug, and the test that must fail
    "C1, errors let out": (
        "decode.answer = lambda request, out: decode.decode(request, open(out, 'wb'))",
        lambda made, films, tmp: faults.test_what_is_no_video_is_refused_by_name(tmp, "text.mp4"),
    ),
    "C3, deaf to what FFmpeg logs": (
        "reader.get_last_error = lambda: (0, None)",
        lambda made, films, tmp: faults.test_what_ffmpeg_passes_over_is_told(
            "plain.gif", lambda data: data[:5000] + data[5100:], "LZW", films, tmp
        ),
    ),
    "C3, half a packet": (
        "reader.is_cut_off = lambda head, tail, size: False",
        lambda made, films, tmp: faults.test_what_ffmpeg_passes_over_is_told(
            "mpeg2.ts", lambda data: data[:-50], "truncated", films, tmp
        ),
    ),
    "C7, any stream": (
        "reader.first_film = lambda streams: streams[0]",
        lambda made, films, tmp: forms.test_sound_alone_is_refused(tmp),
    ),
    "C7, the last stream": (
        "reader.first_film = lambda streams: streams[-1]",
        lambda made, films, tmp: forms.test_the_first_of_two_films_is_read_and_sound_is_ignored(
            tmp
        ),
    ),
    "C8, even sides": (CROPPING, lambda made, films, tmp: forms.test_odd_sides_are_read_whole(tmp)),
    "C9, not turned": (
        "reader.upright = lambda rgb, frame: rgb",
        lambda made, films, tmp: forms.test_rotation_is_applied_once(made, tmp),
    ),
    "C9, mirrors that are not known": (
        "image_films.turned = lambda rgb, orientation: rgb",
        lambda made, films, tmp: opinion.test_pictures_are_turned_and_mirrored_as_pillow_does(
            "png", 2, tmp
        ),
    ),
    "C9, turned twice": (
        TWICE,
        lambda made, films, tmp: forms.test_rotation_is_applied_once(made, tmp),
    ),
    "C10, the first rate": (
        TRUSTING,
        lambda made, films, tmp: forms.test_uneven_times_need_a_frame_rate(tmp, UNEVEN),
    ),
    "C10, FFmpeg's own rate": (
        "reader.states_no_rate = lambda head: False",
        lambda made, films, tmp: forms.test_a_rate_that_is_not_stated_is_asked_for(
            films, tmp, "gif"
        ),
    ),
    "C14, the first rate": (
        TRUSTING,
        lambda made, films, tmp: forms.test_a_frame_lost_on_the_way_is_noticed(made, tmp),
    ),
}


@pytest.mark.parametrize(("bug", "check"), BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_caught(bug, check, made_once, small_films, tmp_path, monkeypatch):
    code = f"from stst.video import decode, image_films, pixels, reader\n{bug}\ndecode.main()"
    monkeypatch.setattr(files, "DECODER", (sys.executable, "-P", "-c", code))
    with pytest.raises((AssertionError, pytest.fail.Exception, read.FramesWarning)) as caught:
        check(made_once, small_films, tmp_path)
    assert "NameError" not in str(caught.value)  # the bug was planted, not misspelt


def test_a_reader_that_takes_one_frame_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "_missing", lambda *_: [])
    with pytest.raises(pytest.fail.Exception):
        forms.test_one_frame_is_no_clip(tmp_path)
