"""Clips that are chosen, uploaded and cut: the words, and what the reader makes of them."""

import asyncio
import errno
import os
import re
import subprocess
import sys
import warnings
from collections import namedtuple
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import typer
from coroutines import run

from cut_films import film, scene
from stst.errors import FramesError, RunError
from stst.storage.config import Source
from stst.studio.cutting import Cut
from stst.studio.facts import read_facts
from stst.studio.library import CLIPS, Library
from stst.video.read import open_video
from stst.video.write import write_video

pytest.importorskip("nicegui", reason="nicegui is not installed")

from starlette.requests import ClientDisconnect

from stst.studio import guard, uploads


def pictures(count, height=24, width=32):
    """Frames that all differ from each other, uint8."""
    values = np.random.default_rng(0).integers(0, 255, (count, 3), dtype=np.uint8)
    return np.broadcast_to(values[:, None, None], (count, height, width, 3)).copy()


def timed(path, times, rate):
    """Write a lossless film with these frame times, in ms."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate)
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "bgr0"
        for time, picture in zip(times, pictures(len(times)), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def even(folder):
    return timed(folder / "even.mkv", range(0, 40 * 40, 40), 25)


def uneven(folder):
    gaps = np.random.default_rng(1).integers(20, 90, 59)
    return timed(folder / "uneven.mkv", [0, *map(int, np.cumsum(gaps))], 20)


def array(folder):
    np.save(folder / "noise.npy", pictures(12))
    return folder / "noise.npy"


def large(folder):
    np.save(folder / "large.npy", pictures(60, 30, 600))
    return folder / "large.npy"


def as_parsed(words):
    """What `stst synthesize` understands of the words of a clip."""
    from stst.cli.stimuli import synthesize

    app = typer.Typer(add_completion=False)
    app.command()(synthesize)
    context = typer.main.get_command(app).make_context("stst", [*words, "--out", "out"])
    given = {name: value for name, value in context.params.items() if value is not None}
    names = set(Source.model_fields) & given.keys()
    return Source(path=str(given["video"]), **{name: given[name] for name in names})


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (even, {}),
        (even, {"first": 3, "last": 31, "every": 4, "width": 17}),
        (even, {"first": 7, "last": 20, "retime": "60"}),
        (even, {"first": 7, "last": 20, "retime": "10"}),
        (uneven, {}),
        (uneven, {"first": 11, "last": 44, "retime": "24"}),
        (array, {}),
        (array, {"fps": "30000/1001", "first": 1, "every": 2}),
        (array, {"fps": "30", "first": 2, "last": 9, "retime": "20"}),
        (large, {}),
    ],
)
def test_the_words_read_what_the_summary_says(make, changes, tmp_path):
    path = make(tmp_path)
    cut = Cut.default(path, read_facts(path))
    for name, value in changes.items():
        setattr(cut, name, value)
    source = as_parsed(cut.words)
    assert source == Source(**cut.selection)
    options = source.model_dump(exclude={"path", "fps"}) | {"frame_rate": source.fps}
    clip = open_video(source.path, **options)
    height, width = clip.size
    rate = f"{float(clip.frame_rate):.5g}"
    assert cut.summary == f"{len(clip)} frames of {width}x{height} px at {rate} frames/s"
    shown = clip.frames.mean((2, 3)) * 255
    expected = torch.tensor(pictures(cut.facts.frames, 1, 1)[cut.indices(), 0, 0]).float()
    assert torch.allclose(shown, expected, atol=1e-3)
    assert cut.last == cut.facts.frames - 1 or set(cut.indices()) <= {
        *range(cut.first, cut.last + 1)
    }


def test_a_large_film_is_cut_short_by_default(tmp_path):
    path = large(tmp_path)
    assert Cut.default(path, read_facts(path)).words == (
        *(str(path), "--width", "256", "--frames", "48", "--fps", "25"),
    )


@pytest.mark.parametrize(
    "changes",
    [{"last": 0}, {"retime": "0"}, {"retime": "fast"}, {"retime": "1000000"}, {"width": 33}],
)
def test_no_words_where_there_is_no_clip(changes, tmp_path):
    path = even(tmp_path)
    cut = Cut.default(path, read_facts(path))
    for name, value in changes.items():
        setattr(cut, name, value)
    assert cut.problem
    assert (cut.words, cut.selection, cut.summary) == ((), {}, None)


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "library")


@pytest.fixture
def good(tmp_path):
    return even(tmp_path).read_bytes()


def upload(library, name, data, size=None, then=None):
    async def pieces():
        for at in range(0, len(data), 700_000):
            yield data[at : at + 700_000]
        if then:
            raise then

    return run(uploads.receive(library, name, pieces(), len(data) if size is None else size))


def stored(library):
    return sorted(path.name for path in library.folder.glob(f"{CLIPS}/*"))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../x.mkv", "x.mkv"),
        ("/etc/passwd.mkv", "passwd.mkv"),
        (r"C:\films\y.MKV", "y.MKV"),
        ("..", "clip.film"),
        ("", "clip.film"),
        (".mkv", "clip.mkv"),
        ("-rf.mkv", "rf.mkv"),
        ("a\0b\n.mkv", "a-b.mkv"),
        ("é" * 5000 + ".mkv", "é" * 50 + ".mkv"),
        ("nul.mkv", "clip-nul.mkv"),
        ("a.mkv.part", "a.mkv.part.film"),
        ("x\ud800.mkv", "x.mkv"),
    ],
)
def test_hostile_names_are_made_safe(name, safe, library, good):
    assert upload(library, name, good) == library.folder / CLIPS / safe
    assert stored(library) == [safe]
    assert library.clips() == [library.folder / CLIPS / safe]
    beside = {path.name for path in library.folder.parent.iterdir()}
    assert beside == {"library", "even.mkv"}


def test_no_file_is_replaced(library, good):
    (library.folder / CLIPS).mkdir()
    (library.folder / CLIPS / "a.mkv").symlink_to("nowhere")
    assert [upload(library, "a.mkv", good).name for _ in range(2)] == ["a-2.mkv", "a-3.mkv"]
    assert (library.folder / CLIPS / "a-3.mkv").read_bytes() == good


def test_two_uploads_of_one_name_at_once(library, good):
    async def slow(data):
        for piece in (data[:1000], data[1000:]):
            yield piece
            await asyncio.sleep(0.05)

    async def both():
        return await asyncio.gather(
            *(uploads.receive(library, "a.mkv", slow(data)) for data in (good, good + b"\0"))
        )

    first, second = run(both())
    assert {first.read_bytes(), second.read_bytes()} == {good, good + b"\0"}
    assert stored(library) == ["a-2.mkv", "a.mkv"]


def test_an_array_is_read_under_its_own_suffix(library, tmp_path):
    assert upload(library, "n.npy", array(tmp_path).read_bytes()).name == "n.npy"
    with pytest.raises(FramesError, match=r"^m.npy is not a readable .npy array"):
        upload(library, "m.npy", b"no array")
    assert stored(library) == ["n.npy"]


Disk = namedtuple("Disk", "total used free")


class FullDisk(uploads.FileIO):
    """A file on a disk that takes a part of the first piece only."""

    def write(self, data):
        if self.tell():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data[: len(data) // 2])


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_a_file_is_told_and_not_kept(announced, library, good, monkeypatch):
    monkeypatch.setattr(guard, "BODY", 1000)
    with pytest.raises(RunError, match="at most 1e-06 GB can be uploaded"):
        upload(library, "a.mkv", good, None if announced else 0)
    assert stored(library) == []


def test_a_file_that_the_disk_cannot_take_is_refused_before_it_is_sent(library, good, monkeypatch):
    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda _: Disk(9, 9, 9))
    with pytest.raises(RunError, match="the disk of the library has 9e-09 GB free"):
        upload(library, "a.mkv", good)
    assert stored(library) == []


def test_a_disk_that_fills_up_is_told(library, good, monkeypatch):
    monkeypatch.setattr(uploads, "FileIO", FullDisk)
    with pytest.raises(RunError, match=r"No space left on device\. Free space on the disk"):
        upload(library, "a.mkv", good)
    assert stored(library) == []


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "the file is empty"),
        (b"only words\n" * 9, "a.mkv is not a video or an image, but text"),
        (b"\x1aE\xdf\xa3" + bytes(5000), "a.mkv is not a video that can be decoded"),
    ],
)
def test_what_is_no_film_is_told_and_not_kept(data, told, library):
    with pytest.raises((FramesError, RunError), match=f"^{re.escape(told)}"):
        upload(library, "../a.mkv", data)
    assert stored(library) == []


def test_a_single_picture_is_no_film(library, tmp_path):
    from PIL import Image

    Image.fromarray(pictures(1)[0]).save(tmp_path / "a.png")
    with pytest.raises(FramesError, match="is a single image"):
        upload(library, "a.apng", (tmp_path / "a.png").read_bytes())
    assert stored(library) == []


def test_an_upload_that_breaks_off_leaves_nothing(library, good):
    with pytest.raises(ClientDisconnect):
        upload(library, "a.mkv", good[:1000], then=ClientDisconnect())
    assert stored(library) == []


def test_a_truncated_film_is_kept_and_told(library, good):
    path = upload(library, "a.mkv", good[: len(good) * 2 // 3])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        film = open_video(path)
    facts = read_facts(path)
    assert 2 <= facts.frames == len(film) < 40
    assert [f"{path} {remark}." for remark in facts.remarks] == [str(w.message) for w in caught]
    assert facts.remarks


class Studio:
    """A studio in a process of its own."""

    def __init__(self, library, bound):
        self.library = library
        page = Path(__file__).with_name("clip_page.py")
        command = [sys.executable, str(page), str(library), str(bound)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def studio_process(tmp_path):
    studio = Studio(tmp_path / "library", 3_000_000)
    yield studio
    studio.close()


@pytest.fixture
def page(studio_process, tab):
    page = tab()
    page.goto(studio_process.address)
    page.goto(studio_process.address.split("?")[0] + "clip-panel")
    return page


@pytest.mark.slow
def test_the_panel_in_a_browser(page, studio_process, tmp_path):
    clips = studio_process.library / CLIPS
    words = page.locator("#words")

    def wait(*expected):
        text = "\n".join(expected)
        page.wait_for_function("t => document.querySelector('#words').innerText == t", arg=text)

    wait(str(clips / "example.webm"))  # without a click
    page.get_by_text("No cuts").wait_for()
    picture = page.get_by_role("img", name="Frame 0")
    assert picture.evaluate("i => [i.naturalWidth, i.naturalHeight, i.width, i.height]") == [
        *(176, 100, 176, 100)
    ]
    page.get_by_role("slider", name="Frame", exact=True).press("ArrowRight")
    page.get_by_text("Frame 1 of 0 to 5, at 0.040 s").wait_for()
    page.get_by_role("img", name="Frame 1").wait_for()

    (tmp_path / "text.mp4").write_text("only words\n" * 9)
    page.locator("input[type=file]").set_input_files(tmp_path / "text.mp4")
    page.get_by_role("alert").filter(has_text="but text").wait_for()
    (tmp_path / "huge.mp4").write_bytes(bytes(3_000_001))
    page.locator("input[type=file]").set_input_files(tmp_path / "huge.mp4")
    page.get_by_role("alert").filter(has_text="at most 0.003 GB").wait_for()
    assert stored_in(clips) == ["example.webm"]

    write_video(film(scene(1, 30), scene(2, 24), scene(3, 20)), tmp_path / "three $(x) shots.webm")
    page.locator("input[type=file]").set_input_files(tmp_path / "three $(x) shots.webm")
    path = str(clips / "three-x-shots.webm")
    wait(path, "--frames", "48")
    page.get_by_text("It contains a cut.").wait_for()
    page.get_by_role("button", name="Shot 2: 30 to 53").click()
    wait(path, "--frames", "24", "--start", "30")
    page.get_by_text("Frame 30 of 0 to 73, at 1.200 s").wait_for()
    page.get_by_role("slider", name="First frame").press("ArrowRight")
    wait(path, "--frames", "23", "--start", "31")
    page.get_by_text("Frame 31 of 0 to 73").wait_for()
    page.get_by_label("First frame", exact=True).fill("30")
    page.get_by_label("Width (px)").fill("48")
    wait(path, "--width", "48", "--frames", "24", "--start", "30")
    page.get_by_label("n (1: all)").fill("2")
    wait(path, "--width", "48", "--frames", "12", "--start", "30", "--every", "2")
    page.get_by_text("The clip: 12 frames of 48x30 px at 12.5 frames/s, 0.96 s.").wait_for()
    page.get_by_label("Last frame", exact=True).fill("30")
    page.get_by_role("alert").filter(has_text="At least 2 frames").wait_for()
    assert words.inner_text() == ""
    page.reload()  # what was uploaded is still there
    page.get_by_role("combobox", name="Clip").click()
    page.get_by_role("option", name="three-x-shots.webm").click()
    wait(path, "--frames", "48")


def stored_in(folder):
    return sorted(path.name for path in folder.iterdir())
