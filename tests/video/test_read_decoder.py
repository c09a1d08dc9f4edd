"""A decoder that crashes or hangs, and files that would fill memory or disk (C4 to C6)."""

import os
import struct
import sys
from types import SimpleNamespace

import made_media as made
import numpy as np
import pytest

import decoding
from stst.errors import FramesError
from stst.video import decode, files
from stst.video.files import Request
from stst.video.read import FramesWarning, Limits, open_video, probe, read_video


@pytest.mark.parametrize("name", ["a.mkv", "fast.mp4"])
def test_what_most_tests_read_without_a_process_is_what_the_process_gives(
    name, made_once, monkeypatch
):
    options = {"start": 1, "every": 2, "width": 20}
    apart = read_video(made_once / name, **options)
    monkeypatch.setattr(files, "subprocess", decoding.HERE)
    here = read_video(made_once / name, **options)
    assert (len(here), here.frame_rate) == (len(apart), apart.frame_rate)
    assert here.frames.equal(apart.frames)


# C4, C5: a decoder that crashes or hangs, played by a fake one


def fake_decoder(monkeypatch, code):
    monkeypatch.setattr(files, "DECODER", (sys.executable, "-c", code))


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGKILL"])
def test_a_decoder_killed_by_a_signal_is_reported(made_once, monkeypatch, name):
    fake_decoder(monkeypatch, f"import os, signal; os.kill(os.getpid(), signal.{name})")
    with pytest.raises(FramesError, match=r"a\.mkv: the decoder crashed \(signal \d+\)"):
        read_video(made_once / "a.mkv")


def test_a_decoder_that_fails_says_why(made_once, monkeypatch):
    fake_decoder(monkeypatch, "raise RuntimeError('of this')")
    with pytest.raises(FramesError, match=r"crashed \(RuntimeError: of this\)"):
        read_video(made_once / "a.mkv")


def test_a_decoder_that_hangs_is_killed(made_once, monkeypatch, tmp_path):
    pid = tmp_path / "pid"
    fake_decoder(
        monkeypatch,
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)",
    )
    with pytest.raises(FramesError, match=r"Limits\.seconds"):
        read_video(made_once / "a.mkv", limits=Limits(seconds=2))
    if pid.exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


WRONG_VALUE = """
import json, os, struct, sys
asked = json.load(sys.stdin)
values = [0.5] * (3 * 3 * 2 * 2)
values[-1] = {value}
os.write(1, struct.pack("36f", *values))
print("a remark of a library", file=sys.stderr)
reply = {{"shape": [3, 3, 2, 2], "declared": 3, "missing": 0, "rates": ["25"], "uneven": ""}}
json.dump(reply | {{"remarks": [], "resampling": None}}, sys.stderr)
"""


@pytest.mark.parametrize("reader", [read_video, open_video])
def test_a_decoder_that_gives_a_wrong_value_is_found_out_at_once(made_once, monkeypatch, reader):
    fake_decoder(monkeypatch, WRONG_VALUE.format(value=0.5))
    assert len(reader(made_once / "a.mkv")) == 3
    for value in ("float('nan')", "1.01", "-0.01"):
        fake_decoder(monkeypatch, WRONG_VALUE.format(value=value))
        with pytest.raises(FramesError, match=r"finite and in \[0, 1\]"):
            reader(made_once / "a.mkv")


NOISY = """
import os
from stst.video import decode
answer = decode.answer
def noisy(*given):
    os.write(1, b"a remark of a library")
    return answer(*given)
decode.answer = noisy
{fault}
decode.main()
"""


@pytest.mark.parametrize(("fault", "whole"), [("", True), ("os.dup2 = lambda *_: None", False)])
def test_what_a_library_prints_does_not_come_between_the_frames(
    made_once, monkeypatch, fault, whole
):
    right = read_video(made_once / "a.mkv").frames
    fake_decoder(monkeypatch, NOISY.format(fault=fault))
    try:
        found = read_video(made_once / "a.mkv").frames.equal(right)
    except FramesError:
        found = False
    assert found is whole


# C6: bombs


def gif_of(side):
    """Build a GIF of a few bytes that declares side x side px."""
    screen = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    image = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    delay = b"!\xf9\x04\x00\x04\x00\x00\x00"
    return screen + (delay + image) * 3 + b";"


def test_a_bomb_is_refused_by_its_declared_side(tmp_path):
    path = tmp_path / "bomb.gif"
    path.write_bytes(gif_of(16_000))
    with pytest.raises(FramesError, match=r"16000x16000 px; the limit is 4096"):
        read_video(path)
    path.write_bytes(gif_of(16))  # the same file of another size is fine
    assert read_video(path).size == (16, 16)


def test_an_array_that_declares_32_gib_is_refused(tmp_path):
    path = tmp_path / "bomb.npy"
    np.save(path, np.zeros((1, 1, 1, 3), np.uint8))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"(1, 1, 1, 3)", b"(2731, 2048, 2048, 3)")[: len(data)])
    with pytest.raises(FramesError, match="npy"):
        read_video(path, frame_rate=25)


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (Limits(frames=9), "declares 10 frames"),
        (Limits(bytes=5 * 48 * 64 * 3 * 4), "more than 5 frames"),
        (Limits(side=63), "64x48"),
    ],
    ids=["frames", "bytes", "side"],
)
def test_what_is_declared_and_decoded_is_bounded(made_once, limits, word):
    with pytest.raises(FramesError, match=word):
        read_video(made_once / "a.mkv", limits=limits)


@pytest.mark.parametrize("name", ["h264.mkv", "vp9.webm"])
def test_frames_larger_than_the_header_says_are_refused(small_films, tmp_path, name):
    path, size = tmp_path / name, b"\xb0\x81\x30\xba\x81\x20"  # Matroska's: 48 by 32
    assert small_films[name].count(size) == 1
    path.write_bytes(small_films[name].replace(size, b"\xb0\x81\x10\xba\x81\x10"))
    assert len(read_video(path)) == 6
    with pytest.raises(FramesError, match=r"48x32|no decodable frame"):
        read_video(path, limits=Limits(side=40))


def test_frames_that_the_disk_has_no_room_for_are_refused(tmp_path, monkeypatch):
    disk = SimpleNamespace(free=10 * 48 * 64 * 3 * 4)
    monkeypatch.setattr(decode, "shutil", SimpleNamespace(disk_usage=lambda _: disk))
    path, out = str(tmp_path / "a.npy"), str(tmp_path / "out")
    np.save(path, made.moving(10))
    assert decode.answer(Request(path=path), out)["shape"] == (10, 3, 48, 64)
    disk.free -= 1
    assert "TMPDIR" in decode.answer(Request(path=path), out)["error"]
    assert os.path.getsize(out) == 0
    assert decode.answer(Request(path=path, frames=9), out)["shape"] == (9, 3, 48, 64)


def test_a_file_that_declares_no_length_is_bounded_while_decoding(tmp_path):
    frames = made.rgb_frames(made.moving(10), "bgr0")
    path = made.write(tmp_path / "live.mkv", frames, options={"live": "1"})
    assert probe(path).declared is None
    with pytest.raises(FramesError, match="more than 4 frames were decoded"):
        read_video(path, limits=Limits(frames=4))
    assert len(read_video(path, frames=4, limits=Limits(frames=4))) == 4


def test_the_memory_of_the_decoder_is_bounded(tmp_path):
    path = tmp_path / "large.gif"
    path.write_bytes(gif_of(3000))
    assert probe(path).size[1] == 3000
    with pytest.raises(FramesError, match=r"memory|crashed|could not be read|not a video"):
        read_video(path, limits=Limits(memory=200 * 2**20))


JOB = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))  # less than Limits.memory
{bug}
"""
NAIVE = """
decode._bound_memory = lambda limit: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


@pytest.mark.parametrize("bug", ["", NAIVE], ids=["", "planted"])
def test_a_job_of_less_memory_than_the_limit_reads_films(made_once, monkeypatch, bug):
    pytest.importorskip("resource")
    job = f"from stst.video import decode\n{JOB.format(bug=bug)}\ndecode.main()"
    monkeypatch.setattr(files, "DECODER", (sys.executable, "-P", "-c", job))
    if not bug:
        assert len(read_video(made_once / "a.mkv", frames=2)) == 2
        return
    with pytest.raises(FramesError, match="maximum limit"):
        read_video(made_once / "a.mkv", frames=2)


@pytest.mark.parametrize("limits", [{"memory": 10**30}, {"seconds": 1e300}, {"frames": 0}])
def test_limits_that_no_machine_has_are_refused(limits):
    with pytest.raises(FramesError, match=f"Limits.{next(iter(limits))} must be"):
        Limits(**limits)


def test_a_duration_that_lies_is_noticed(made_once, tmp_path):
    data = (made_once / "a.mkv").read_bytes()
    true = b"\x44\x89\x88" + struct.pack(">d", 400.0)  # Duration, ms
    assert data.count(true) == 1
    path = tmp_path / "lies.mkv"
    path.write_bytes(data.replace(true, b"\x44\x89\x88" + struct.pack(">d", 4e9)))
    with pytest.raises(FramesError, match="declares 100000000 frames"):
        read_video(path)
    assert len(read_video(path, frames=10)) == 10
    path.write_bytes(data.replace(true, b"\x44\x89\x88" + struct.pack(">d", 4000.0)))
    with pytest.warns(FramesWarning, match="gave 10 frames, 90 fewer"):
        read_video(path)
