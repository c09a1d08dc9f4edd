"""What a scientist does with a clip: the same in memory, on disk, and with a part of one."""

import base64
import copy
import io
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from decoding import decoded_here  # noqa: F401
from stst.errors import FramesError
from stst.video.film import Film, LazyClip, View
from stst.video.frames import Clip
from stst.video.read import open_video, read_video
from stst.video.sizes import downsize
from stst.video.write import FRAMES, SIDE, write_video

RATE = Fraction(30000, 1001)


def frames(count=6, height=12, width=20):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(count))


def on_disk(tensor, rate=RATE):
    film = Film(tuple(tensor.shape[2:]), rate)
    for frame in tensor:
        film.append(frame)
    return film


def part_of_one(tensor):
    return View(Clip(tensor.flip(0), RATE), range(len(tensor) - 1, -1, -1))


STATES = pytest.mark.parametrize(
    "state",
    [lambda tensor: Clip(tensor, RATE), on_disk, part_of_one],
    ids=["in memory", "on disk", "part"],
)


@STATES
def test_a_clip_has_one_interface_whatever_its_state(state):
    clip = state(frames())
    assert isinstance(clip, Clip)
    assert (len(clip), clip.shape, clip.size) == (6, (6, 3, 12, 20), (12, 20))
    assert clip.frame_rate == RATE
    assert clip.duration == pytest.approx(6 * 1001 / 30000)
    assert clip.frames.equal(frames())
    assert torch.stack(list(clip)).equal(frames())
    assert repr(clip) == "Clip(6 frames of 20x12 px at 30000/1001/s, 0.2 s)"
    assert repr(clip) == repr(clip.load())
    assert clip.load().frames.equal(frames())


@STATES
@pytest.mark.parametrize("duplicate", [copy.copy, lambda c: pickle.loads(pickle.dumps(c))])
def test_a_copy_is_in_memory(state, duplicate):
    copied = duplicate(state(frames())[1:4])
    assert type(copied) is Clip
    assert copied.frames.equal(frames()[1:4])
    assert copied.frame_rate == RATE


@STATES
@pytest.mark.parametrize(
    ("key", "rate"),
    [
        (slice(2, 5), RATE),
        (slice(None, None, 2), RATE / 2),
        (slice(-3, None), RATE),
        (slice(None, None, -1), RATE),
        (slice(5, 0, -2), RATE / 2),
    ],
    ids=str,
)
def test_frames_are_cut_as_a_list_is(state, key, rate):
    part = state(frames())[key]
    wanted = [frames()[index] for index in range(6)[key]]
    assert part.frames.equal(torch.stack(wanted))
    assert part.frame_rate == rate


@STATES
def test_a_frame_by_its_number(state):
    clip = state(frames())
    for index in (0, 5, -1, np.int64(2)):
        assert clip[index].equal(frames()[int(index)])
    for index in (6, -7):
        with pytest.raises(IndexError):
            clip[index]
    with pytest.raises(FramesError, match="no frames in 6:9: the clip has 6"):
        clip[6:9]


@STATES
def test_a_rectangle_is_cut_out_of_every_frame(state):
    part = state(frames()).crop(2, 5, height=8, width=6)
    assert part.size == (8, 6)
    assert part.frames.equal(frames()[:, :, 2:10, 5:11])


@pytest.mark.parametrize(
    "place", [(-1, 0, 4, 4), (0, -1, 4, 4), (9, 0, 4, 4), (0, 17, 4, 4), (0, 0, 0, 4), (0, 0, 4, 0)]
)
def test_a_rectangle_outside_is_refused(place):
    with pytest.raises(FramesError, match="exceeds frames of 20x12 px"):
        Clip(frames(), RATE).crop(*place)


@STATES
def test_frames_are_made_smaller_as_the_reader_makes_them(state, tmp_path):
    np.save(tmp_path / "clip.npy", frames().numpy())
    read = read_video(tmp_path / "clip.npy", width=7, frame_rate=RATE)
    small = state(frames()).resize(width=7)
    assert small.size == read.size == (4, 7)
    assert small.frames.equal(read.frames)
    assert state(frames()).resize(height=4).size == (4, 7)
    squeezed = state(frames()).resize(width=5, height=12, fit="stretch")
    picture = frames()[3].permute(1, 2, 0).numpy()
    assert np.array_equal(squeezed[3].permute(1, 2, 0), downsize(picture, (12, 5)))
    for wrong, told in (
        ({"width": 21}, "enlarged"),
        ({"height": 13}, "enlarged"),
        ({"width": 0}, "a side is 1 to 32768 px"),
        ({"width": 5, "height": 12}, "another aspect.*--fit"),
    ):
        with pytest.raises(FramesError, match=f"^the clip .*{told}"):
            state(frames()).resize(**wrong)


@STATES
@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (RATE, [0, 1, 2, 3, 4, 5]),
        (RATE / 2, [0, 2, 4]),
        (RATE * 2, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]),
        (RATE * Fraction(2, 3), [0, 1, 3, 4]),
        (RATE * Fraction(3, 2), [0, 0, 1, 2, 2, 3, 4, 4, 5]),
        (RATE / 100, [0]),
    ],
    ids=str,
)
def test_another_rate_shows_the_frame_that_a_player_would(state, rate, shown):
    clip = state(frames()).retime(rate)
    assert clip.frame_rate == rate
    assert clip.frames.equal(frames()[shown])


@pytest.mark.parametrize("rate", [10**25, "1e999999999", "1e-999999999", 10**-9])
def test_a_rate_that_no_film_has_is_refused_at_once(rate):
    with pytest.raises(
        FramesError, match=r"must be positive, such as 24.* 1000000 per second; got"
    ):
        Clip(frames(), rate)
    with pytest.raises(
        FramesError, match=r"must be positive, such as 24.* 1000000 per second; got"
    ):
        Clip(frames(), 30).retime(rate)


@STATES
def test_a_clip_is_not_retimed_to_more_frames_than_anyone_reads(state):
    clip = state(frames())
    with pytest.raises(FramesError, match=r"would have 200200 frames.*clip\[:100\]"):
        clip.retime(10**6)
    assert len(clip.retime(1000)) == 201


def test_retiming_is_the_last_frame_that_has_begun_by_brute_force():
    clip = Clip(frames(30), 30)
    begins = [Fraction(k, 30) for k in range(30)]
    for rate in (7, 12.5, 24, 25, 29.97, 60, 100):
        retimed = clip.retime(rate)
        assert abs(retimed.duration - clip.duration) < 1 / retimed.frame_rate
        for k, frame in enumerate(retimed):
            shown = max(i for i, begin in enumerate(begins) if begin <= k / retimed.frame_rate)
            assert frame.equal(clip[shown])


def test_what_is_cut_out_of_a_clip_on_disk_stays_there(watched):
    seen = watched(on_disk(frames()))
    part = View(seen, range(6))[1:].crop(0, 0, 8, 16).resize(width=8).retime(RATE / 2)
    assert isinstance(part, LazyClip)
    assert part.shape == (3, 3, 4, 8)
    assert seen.most == 0
    list(part)
    assert seen.most == 1
    assert type(Clip(frames(), RATE)[1:]) is Clip


def test_a_clip_is_written_as_the_writer_does(tmp_path):
    clip = Clip(frames(3, 16, 16), RATE)
    assert clip.save(tmp_path / "a.webm").lossless
    write_video(clip, tmp_path / "b.webm")
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()
    opened = open_video(tmp_path / "a.webm")
    assert opened[1:].save(str(tmp_path / "c.webm")).lossless


LEVELS = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), np.uint8)


@pytest.mark.parametrize(
    "array",
    [
        LEVELS,
        LEVELS.transpose(0, 3, 1, 2),
        LEVELS.astype(np.float32) / np.float32(255),
        torch.from_numpy(LEVELS),
        torch.from_numpy(LEVELS).float().div(255).permute(0, 3, 1, 2).requires_grad_(),
    ],
    ids=["bytes", "channels first", "float", "tensor", "float tensor"],
)
def test_arrays_of_every_layout_become_the_same_clip(array):
    clip = Clip.from_array(array, 25)
    wanted = torch.from_numpy(LEVELS).permute(0, 3, 1, 2).float().div(255)
    assert clip.frames.equal(wanted)
    assert clip.frames.is_contiguous()


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.float16])
def test_grey_arrays_have_three_equal_channels(dtype):
    grey = (LEVELS[..., 0] if dtype == np.uint8 else LEVELS[..., 0] / 255).astype(dtype)
    clip = Clip.from_array(grey, 25)
    assert clip.shape == (4, 3, 6, 8)
    assert clip.frames[:, 0].equal(clip.frames[:, 2])
    assert np.abs(clip.frames[:, 0].numpy() * 255 - LEVELS[..., 0]).max() < 0.1


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 6)), r"got \(4, 6\).*Grey clips"),
        (np.zeros((6, 8, 3)), r"got \(6, 8, 3\)"),
        (np.zeros((3, 3, 8, 3)), r"got \(3, 3, 8, 3\)"),
        (np.zeros((4, 6, 8, 4)), r"got \(4, 6, 8, 4\)"),
        (np.zeros((0, 6, 8, 3)), r"no frames: its shape is \(0, 6, 8, 3\)"),
        (
            np.full((2, 6, 8, 3), 200.0),
            r"values from 200 to 200\. Divide by the maximum",
        ),
        (np.full((2, 6, 8, 3), np.nan), r"in \[0, 1\]"),
        (np.zeros((2, 6, 8, 3), np.int32), "got int32"),
        (LEVELS.tolist(), "got int64"),
        (torch.zeros(2, 6, 8, 3, dtype=torch.bool), "got bool"),
    ],
)
def test_other_arrays_are_refused_with_what_came(array, words):
    with pytest.raises(FramesError, match=words):
        Clip.from_array(array, 25)


def test_plenoptics_layout_goes_both_ways():
    clip = Clip(frames(), RATE)
    video = clip.to_plenoptic()
    assert video.shape == (1, 3, 6, 12, 20)
    assert video[0, 1, 4].equal(clip.frames[4, 1])
    assert Clip.from_plenoptic(video, RATE).frames.equal(clip.frames)
    grey = Clip.from_plenoptic(video[:, :1].double(), RATE)
    assert grey.frames[:, 2].equal(clip.frames[:, 0])
    for wrong in (video[0], video.expand(2, -1, -1, -1, -1), video[:, :2], video.numpy()):
        with pytest.raises(FramesError, match="batch, channel, time, height, width"):
            Clip.from_plenoptic(wrong, RATE)
    with pytest.raises(FramesError, match="clip them: frames"):
        Clip.from_plenoptic(video * 2, RATE)


def shown(html):
    """Animations of a page, decoded."""
    found = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


@STATES
def test_a_notebook_plays_a_clip(state):
    (picture,) = shown(state(frames())._repr_html_())
    assert (picture.format, picture.n_frames, picture.size) == ("WEBP", 6, (20, 12))
    durations = []
    for index in range(6):
        picture.seek(index)
        picture.load()
        durations.append(picture.info["duration"])
    assert sum(durations) == 200
    assert picture.info["loop"] == 0


def test_a_preview_of_a_long_large_clip_is_small():
    still = torch.rand(1, 3, 90, 700).expand(FRAMES + 20, -1, -1, -1)
    html = Clip(still, 25)._repr_html_()
    (picture,) = shown(html)
    assert picture.n_frames <= FRAMES  # equal frames are joined
    assert max(picture.size) == SIDE
    assert f"first {FRAMES} frames" in html
