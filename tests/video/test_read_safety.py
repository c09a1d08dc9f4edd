"""Files that reach for the network, for other files or for code (C12)."""

import http.server
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stst.errors import FramesError
from stst.video.read import read_video

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
