"""Films: frames on disk are those that were put there, and nothing outlives them."""

import copy
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stst.errors import FramesError
from stst.video import film
from stst.video.film import Film, blank_films, nameless_file
from stst.video.frames import Clip, to_clip

RATE = Fraction(30000, 1001)
FRAMES = arrays(np.float32, (4, 3, 2, 3), elements=st.floats(0, 1, width=32))


def filmed(frames):
    made = Film(tuple(frames.shape[2:]), RATE)
    for frame in frames:
        made.append(frame)
    return made


def noise(count=4, height=6, width=8):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(count))


@given(FRAMES, st.lists(st.integers(-4, 3), max_size=9))
def test_frames_are_had_as_they_were_put_in_any_order(frames, indices):
    clip = Clip(torch.from_numpy(frames), RATE)
    made = filmed(clip.frames)
    assert (len(made), made.size, made.frame_rate) == (len(clip), clip.size, clip.frame_rate)
    assert made.take(indices).equal(clip.take(indices))
    assert clip.take(indices).equal(clip.frames[torch.tensor(indices, dtype=torch.long)])


@pytest.mark.parametrize("index", [4, -5])
def test_a_frame_that_is_not_there_cannot_be_taken(index):
    for footage in (filmed(noise()), Clip(noise(), RATE)):
        with pytest.raises(IndexError):
            footage.take([0, index])


def test_frames_taken_are_copies():
    for footage in (filmed(noise()), Clip(noise(), RATE)):
        footage.take([1]).zero_()
        assert footage.take([1]).equal(noise()[[1]])


def test_gathering_brings_all_frames_into_memory_once():
    clip = to_clip(filmed(noise()))
    assert clip.frames.equal(noise())
    assert clip.frame_rate == RATE
    assert to_clip(clip) is clip


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_film_is_a_clip(duplicate):
    found = duplicate(filmed(noise()))
    assert isinstance(found, Clip)
    assert found.frames.equal(noise())


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (torch.zeros(3, 6, 9), r"\(3, 6, 8\), got \(3, 6, 9\)"),
        (torch.zeros(1, 3, 6, 8), "got"),
        (torch.zeros(3, 6, 8).double(), "float32"),
        (torch.full((3, 6, 8), 1.01), r"in \[0, 1\]"),
        (torch.full((3, 6, 8), torch.nan), "finite"),
    ],
    ids=["size", "axes", "type", "range", "nan"],
)
def test_a_frame_that_a_clip_would_refuse_is_refused(frame, word):
    made = filmed(noise())
    with pytest.raises(FramesError, match=word):
        made.append(frame)
    assert to_clip(made).frames.equal(noise())


def raw(frames, *, without=0):
    file = nameless_file()
    data = frames.tobytes()
    file.write(data[: len(data) - without])
    return file


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1, np.inf])
@pytest.mark.parametrize("place", [0, 3])
def test_a_file_with_a_wrong_value_in_any_frame_is_refused(value, place):
    frames = noise().numpy()
    assert to_clip(Film((6, 8), RATE, raw(frames))).frames.equal(noise())
    frames[place, 1, 2, 3] = value
    with pytest.raises(FramesError, match=r"finite and in \[0, 1\]"):
        Film((6, 8), RATE, raw(frames))


def test_a_file_that_ends_within_a_frame_is_refused():
    with pytest.raises(FramesError, match=r"frame 3 .* incomplete"):
        Film((6, 8), RATE, raw(noise().numpy(), without=1))


class Unlocked:
    """A lock that locks nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def taken_by_threads(lock=None):
    """Take frames in eight threads at once: the values that are not those of the frames."""
    values = torch.arange(16) / 16
    with Film((40, 60), 25) as film, ThreadPoolExecutor(8) as threads:
        film._lock = lock or film._lock
        for value in values:
            film.append(value.expand(3, 40, 60))
        order = torch.randint(len(values), (400,), generator=torch.manual_seed(0)).tolist()
        got = list(threads.map(lambda index: film.take([index]).unique().tolist(), order))
    return [value for value, index in zip(got, order, strict=True) if value != [values[index]]]


def test_threads_share_a_film():
    assert taken_by_threads() == []


def test_a_film_without_a_lock_is_caught():
    """The planted bug that the test above must catch."""
    with suppress(FramesError):  # or a frame seems incomplete
        assert any(taken_by_threads(Unlocked()) for _ in range(30))  # threads may miss each other


def test_a_frame_rate_must_be_positive():
    with pytest.raises(FramesError, match="rate"):
        Film((6, 8), Fraction(0))


def test_a_film_closes_its_file_when_it_is_forgotten():
    files = [raw(noise().numpy()) for _ in range(2)]
    with Film((6, 8), RATE, files[0]):
        forgotten = Film((6, 8), RATE, files[1])
        del forgotten
        assert [file.closed for file in files] == [False, True]
    assert files[0].closed


def test_a_killed_process_leaves_no_film(tmp_path):
    code = """
import os, signal, tempfile, torch
from fractions import Fraction
from stst.video.film import Film
film = Film((64, 64), Fraction(25))
film.append(torch.zeros(3, 64, 64))
named = tempfile.NamedTemporaryFile(prefix="control-")
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=120)
    assert done.returncode == -signal.SIGKILL
    # A file with a name, which its owner would have removed, is still there.
    assert [path.name[:8] for path in tmp_path.iterdir()] == ["control-"]


@contextmanager
def small_files():
    """Files of this process may hold 2 frames and a half of 6 x 8 px.

    Not a fixture: its limit would hold while the test's outcome is written to a file.
    """
    import resource  # of Unix alone

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * 6 * 8 * 3 * 2, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_in_words_and_spares_what_is_there():
    made, errors = filmed(noise()[:2]), []
    with small_files():
        for _ in range(2):
            with pytest.raises(FramesError) as caught:
                made.append(noise()[2])
            errors.append(str(caught.value))
    assert all(re.search(r"could not be stored.*TMPDIR", error) for error in errors)
    assert to_clip(made).frames.equal(noise()[:2])


def test_films_that_will_not_fit_are_refused_before_the_first_frame(monkeypatch):
    natural, need = Clip(noise(), RATE), 2 * 4 * 6 * 8 * 3 * 4
    disk = SimpleNamespace(free=need)
    monkeypatch.setattr(film, "shutil", SimpleNamespace(disk_usage=lambda _: disk))
    assert [(len(blank), blank.size) for blank in blank_films(2, natural)] == [(0, (6, 8))] * 2
    disk.free -= 1
    with pytest.raises(FramesError, match=r"4 frames of 2 metamer\(s\) need .*TMPDIR"):
        blank_films(2, natural)


def test_without_a_temporary_folder_the_error_says_what_to_do(monkeypatch):
    def none(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryFile", none)
    with pytest.raises(FramesError, match=r"No usable temporary directory.*TMPDIR"):
        Film((6, 8), RATE)
