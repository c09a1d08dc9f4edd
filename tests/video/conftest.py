import subprocess

import made_media as made
import mutants
import pytest


@pytest.fixture(scope="session")
def ffmpeg_program():
    """The path of FFmpeg 9's program."""
    return pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()


@pytest.fixture(scope="session")
def ffmpeg(ffmpeg_program):
    """``ffmpeg("-i", ...)``: what FFmpeg's program writes to stdout."""

    def run(*words):
        command = [ffmpeg_program, "-v", "error", "-y", *map(str, words)]
        return subprocess.run(command, capture_output=True, check=True).stdout

    return run


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
    made.write(folder / "a.gif", made.rgb_frames(made.moving(10), "rgb8"), codec="gif")
    return folder


@pytest.fixture(scope="session")
def small_pictures(tmp_path_factory):
    """{name: bytes} of small images and animations of many kinds."""
    return mutants.make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def small_films(tmp_path_factory):
    """{name: bytes} of tiny films of many containers."""
    return mutants.make(tmp_path_factory.mktemp("films"))
