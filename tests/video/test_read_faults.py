"""Reading files that are broken, hostile or not what they seem (fault table, part C)."""

import http.server
import json
import os
import struct
import subprocess
import sys
import threading
import warnings
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import made_media as made
import numpy as np
import pytest

import stst
from stst.errors import FramesError
from stst.video import decode, process, read
from stst.video.frames import to_uint8
from stst.video.read import FramesWarning, Limits, open_video, probe, read_video
from stst.video.request import Request


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """Clips that several tests read and none changes."""
    folder = tmp_path_factory.mktemp("clips")
    fast = {"movflags": "faststart"}
    h264 = {"codec": "libx264", "rate": 25}
    made.write(folder / "a.mkv", made.rgb_frames(made.moving(10), "bgr0"))
    yuv = made.rgb_frames(made.moving(10), "yuv420p")
    made.write(folder / "fast.mp4", yuv, options=fast, **h264)
    yuv = made.rgb_frames(made.moving(10), "yuv420p")
    made.write(folder / "vp9.webm", yuv, codec="libvpx-vp9")
    return folder


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

WORKER = """
import json, sys
from stst.video.decode import answer
from stst.video.request import Request
print(json.dumps([answer(Request(path=p), p + ".raw") for p in sys.argv[1:]]))
"""


def answers(paths):
    environment = {**os.environ, "PYTHONPATH": str(Path(stst.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *map(str, paths)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert done.returncode <= 0, done.stderr  # a signal is FFmpeg's crash: C4
    if done.returncode < 0:
        return []
    found = json.loads(done.stdout)
    for one, path in zip(found, paths, strict=True):
        if "error" not in one:
            raw = np.fromfile(f"{path}.raw", np.float32)
            one["frames"] = raw.reshape(one["shape"])
    return found


def is_silent(one, whole):
    """Whether fewer or other frames than the whole ones came without a word."""
    if "error" in one or one["remarks"]:
        return False
    frames = one["frames"]
    if len(frames) < len(whole) and (one["declared"] or 0) > len(frames):
        return False
    return frames.shape != whole.shape or not np.array_equal(frames, whole)


@pytest.mark.parametrize("name", ["fast.mp4", "vp9.webm", "a.mkv"])
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
        assert is_silent({**one, "remarks": [], "declared": None}, whole["frames"])


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
        with pytest.warns(FramesWarning, match=r"gave \d frames, \d fewer") as caught:
            clip = reader(path)
        assert caught[0].filename == __file__
    assert 2 <= len(clip) < 10
    assert np.array_equal(to_uint8(clip.frames), made.moving(10)[: len(clip)])


# C4, C5: a decoder that crashes or hangs, played by a fake one


def fake_decoder(monkeypatch, code):
    monkeypatch.setattr(process, "DECODER", (sys.executable, "-c", code))


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
json.dump({{"shape": [3, 3, 2, 2], "declared": 3, "rate": "25", "remarks": []}}, sys.stderr)
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
    with pytest.raises(FramesError, match=r"16000x16000 px; 1 to 4096"):
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
    assert probe(path).frames is None
    with pytest.raises(FramesError, match="more than 4 frames were decoded"):
        read_video(path, limits=Limits(frames=4))
    assert len(read_video(path, frames=4, limits=Limits(frames=4))) == 4


def test_the_memory_of_the_decoder_is_bounded(tmp_path):
    path = tmp_path / "large.gif"
    path.write_bytes(gif_of(3000))
    assert probe(path).width == 3000
    with pytest.raises(FramesError, match=r"memory|crashed|could not be read|not a video"):
        read_video(path, limits=Limits(memory=200 * 2**20))


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
            streams.append((picture, [np.zeros((32, 32, 3), np.uint8)], "rgb24"))
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
    clip = read_video(films(tmp_path / "two.mkv", two, sound=True))
    assert np.array_equal(to_uint8(clip.frames), two[0])


def test_a_cover_picture_is_not_the_film():
    from stst.video.container import Disposition, _first_film

    class Stream:
        def __init__(self, disposition):
            self.disposition = disposition

    cover, film = Stream(Disposition.attached_pic), Stream(Disposition.default)
    assert _first_film((cover, film)) is film
    with pytest.raises(FramesError, match="cover picture"):
        _first_film((cover,))


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
    assert (probe(tmp_path / "turned.mp4").width, turned.shape[3]) == (48, 48)


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
    with pytest.raises(FramesError, match=r"no constant frame rate \(shows frame \d off"):
        read_video(path)
    with pytest.warns(FramesWarning, match=r"shows frame \d off the times"):
        assert read_video(path, frame_rate=25).frame_rate == 25
    even = at_times(tmp_path / "even.mkv", list(range(8)))
    assert read_video(even).frame_rate == 25


def test_a_frame_lost_on_the_way_is_noticed(made_once, tmp_path):
    path = tmp_path / "lost.mkv"
    with av.open(str(made_once / "a.mkv")) as source, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.dts is not None and index != 4:
                packet.stream = stream
                copy.mux(packet)
    with pytest.raises(FramesError, match="shows frame 4 off"):
        read_video(path)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_the_rate_is_read_exactly(tmp_path, suffix):
    rates = ["24000/1001", "30000/1001", "60000/1001", "24", "50", "125/2"]
    paths = [tmp_path / f"{index}{suffix}" for index in range(len(rates))]
    for path, rate in zip(paths, rates, strict=True):
        frames = made.rgb_frames(made.moving(5), "yuv420p")
        made.write(path, frames, codec="mpeg4", rate=rate)
    assert [one["rate"] for one in answers(paths)] == rates


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


# C12: no network, no second file


@pytest.fixture
def server():
    """Count the requests that reach a server on this machine."""
    hits = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_error(404)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.hits = hits
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_playlist_opens_neither_network_nor_a_second_file(made_once, tmp_path, server):
    url = f"http://127.0.0.1:{server.server_port}/canary.ts"
    playlist = tmp_path / "list.m3u8"
    for target in (url, made_once / "fast.mp4"):
        playlist.write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"
        )
        for name in ("list.m3u8", "list.mp4"):
            playlist = playlist.rename(tmp_path / name)
            with pytest.raises(FramesError, match="not a video"):
                read_video(playlist)
    assert not server.hits
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n")
    playlist = playlist.rename(tmp_path / "list.m3u8")
    allow = {"protocol_whitelist": "file,http,tcp"}
    trusting = f"import av; av.open({str(playlist)!r}, options={allow})"
    subprocess.run([sys.executable, "-c", trusting], capture_output=True, timeout=60)
    assert server.hits  # a reader that trusts the playlist is seen


def test_a_list_of_files_to_join_is_refused(made_once, tmp_path):
    path = tmp_path / "join.txt"
    path.write_text(f"ffconcat version 1.0\nfile {made_once / 'fast.mp4'}\n")
    with pytest.raises(FramesError, match="not a video"):
        read_video(path)


@pytest.mark.parametrize(
    "name", ["concat:a.mp4|b.mp4", "http://127.0.0.1:9/a.mp4", "rtsp://x/a", "-", "%03d.png"]
)
def test_names_with_a_meaning_to_ffmpeg_are_plain_names(made_once, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FramesError, match="does not exist"):
        read_video(name)
    if "/" not in name:
        Path(name).write_bytes((made_once / "fast.mp4").read_bytes())
        assert len(read_video(name)) == 10


def test_code_in_the_working_directory_is_not_run(made_once, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in ("av", "cv2", "json", "stst"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('run from the cwd')")
    assert len(read_video(made_once / "fast.mp4")) == 10


# C13: the file changes while it is read


def test_a_file_that_changes_while_it_is_read_is_refused(made_once, tmp_path, monkeypatch):
    path = tmp_path / "a.mkv"
    path.write_bytes((made_once / "a.mkv").read_bytes())

    def ask_and_change(request, out):
        answer = process.ask(request, out)
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
