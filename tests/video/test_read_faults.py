"""Reading files that are damaged or no video (fault table, C1 to C3, C13)."""

import os
import re
import warnings
from pathlib import Path

import made_media as made
import numpy as np
import pytest
from many_decoded import answers

from stst.errors import FramesError
from stst.video import files, read
from stst.video.frames import to_uint8
from stst.video.read import FramesWarning, open_video, read_video

# C1: not a video


def not_a_file(folder, kind):
    path = folder / kind
    if kind == "text.mp4":
        path.write_text("This is no video.\n" * 50)
    elif kind == "noise.mkv":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif kind == "empty.mp4":
        path.touch()
    elif kind == "pipe.mp4":
        os.mkfifo(path)
    elif kind == "text.npy":
        path.write_text("no array")
    return path


@pytest.mark.parametrize(
    "kind", ["text.mp4", "noise.mkv", "empty.mp4", "pipe.mp4", "text.npy", "missing.mp4"]
)
def test_what_is_no_video_is_refused_by_name(tmp_path, kind):
    path = not_a_file(tmp_path, kind)
    with pytest.raises(FramesError) as caught:
        read_video(path, frame_rate=25)
    assert str(path) in str(caught.value)
    assert "crashed" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickled_arrays_are_not_run(tmp_path):
    canary = tmp_path / "canary"

    class Payload:
        def __reduce__(self):
            return Path.touch, (canary,)

    np.save(tmp_path / "a.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    with pytest.raises(FramesError, match="npy"):
        read_video(tmp_path / "a.npy", frame_rate=25)
    assert not canary.exists()
    np.load(tmp_path / "a.npy", allow_pickle=True)  # the payload is live
    assert canary.exists()


# C2, C3: damage. One process decodes many files; each answer is kept with its frames.


def is_silent(one, whole):
    """Whether fewer or other frames than the whole ones came without a word."""
    if "error" in one or one["remarks"] or len(one["rates"]) != 1:  # refused, or remarked on
        return False
    frames = one["frames"]
    if len(frames) < len(whole) and (one["declared"] or 0) > len(frames):
        return False
    return frames.shape != whole.shape or not np.array_equal(frames, whole)


@pytest.mark.parametrize("name", ["fast.mp4", "vp9.webm", "a.mkv", "a.gif"])
def test_a_truncated_file_gives_an_error_or_a_remark(made_once, tmp_path, name):
    data = (made_once / name).read_bytes()
    paths = [tmp_path / f"{i}{Path(name).suffix}" for i in range(30)]
    for path, cut in zip(paths, np.linspace(1, len(data) - 1, 30).astype(int), strict=True):
        path.write_bytes(data[:cut])
    (tmp_path / "whole").write_bytes(data)
    *cut, whole = answers([*paths, tmp_path / "whole"])
    assert whole["shape"][0] == 10
    assert not whole["remarks"]
    assert not [i for i, one in enumerate(cut) if is_silent(one, whole["frames"])]
    read_some = [one for one in cut if "error" not in one and len(one["frames"]) < 10]
    assert read_some, "no cut left some frames, so nothing was tested"
    for one in read_some:  # a reader that kept quiet would be found out
        assert is_silent({**one, "remarks": [], "declared": None, "rates": ["25"]}, whole["frames"])


def test_bit_flips_never_crash_the_reader(made_once, tmp_path):
    dice = np.random.default_rng(0)
    for name in ("fast.mp4", "vp9.webm"):
        data = np.frombuffer((made_once / name).read_bytes(), np.uint8)
        paths = [tmp_path / f"{i}-{name}" for i in range(40)]
        for path in paths:
            hurt = data.copy()
            where = dice.integers(0, len(data), dice.integers(1, 9))
            hurt[where] ^= (1 << dice.integers(0, 8, len(where))).astype(np.uint8)
            path.write_bytes(hurt.tobytes())
        for one in answers(paths):
            assert "error" in one or np.all((one["frames"] >= 0) & (one["frames"] <= 1))


def test_a_truncated_file_warns_with_a_count(made_once, tmp_path):
    data = (made_once / "a.mkv").read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(data[: len(data) * 3 // 4])
    for reader in (open_video, read_video):
        with pytest.warns(FramesWarning) as caught:
            clip = reader(path)
        said = " ".join(str(warning.message) for warning in caught)
        assert re.search(r"near frame \d: File ended prematurely.* gave \d frames, \d fewer", said)
        assert caught[0].filename == __file__
    assert 2 <= len(clip) < 10
    assert np.array_equal(to_uint8(clip.frames), made.moving(10)[: len(clip)])


def test_a_good_film_gets_no_remark(small_films, tmp_path):
    paths = [tmp_path / name for name in small_films]
    for path in paths:
        path.write_bytes(small_films[path.name])
    assert [(one["shape"][0], one["remarks"]) for one in answers(paths)] == [(6, [])] * len(paths)


def without_last_header(data):
    """An MPEG-TS in which the start of the last picture is written over, which FFmpeg skips."""
    at = data.rindex(b"\0\0\1\xe0")
    return data[:at] + b"????" + data[at + 4 :]


@pytest.mark.parametrize(
    ("name", "hurt", "said"),
    [
        ("plain.gif", lambda data: data[:5000] + data[5100:], "LZW decode failed"),
        ("vp8.ogg", lambda data: data[:60] + b"?" + data[61:], "CRC mismatch"),
        ("mpeg2.ts", lambda data: data[:-50], "is truncated"),
        ("mpeg2.ts", without_last_header, "1 frames cannot be found"),
    ],
)
def test_what_ffmpeg_passes_over_is_told(name, hurt, said, small_films, tmp_path):
    path = tmp_path / name
    path.write_bytes(hurt(small_films[name]))
    with pytest.warns(FramesWarning, match=said):
        read_video(path)


def test_an_mpeg_ts_whose_packets_are_not_at_its_start_is_read(small_films, tmp_path):
    path = tmp_path / "late.ts"
    path.write_bytes(bytes(37) + small_films["mpeg2.ts"])
    assert len(read_video(path)) == 6


# C13: the file changes while it is read


def test_a_file_that_changes_while_it_is_read_is_refused(made_once, tmp_path, monkeypatch):
    path = tmp_path / "a.mkv"
    path.write_bytes((made_once / "a.mkv").read_bytes())

    def ask_and_change(request, out):
        answer = files.ask(request, out)
        with path.open("ab") as file:
            file.write(b"more")
        return answer

    monkeypatch.setattr(read, "ask", ask_and_change)
    with pytest.raises(FramesError, match="changed while"):
        read_video(path)


def test_nothing_is_left_behind(made_once, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_video(made_once / "a.mkv")
    with pytest.raises(FramesError):
        read_video(made_once / "a.mkv", width=999)
    assert not list(tmp_path.iterdir())
