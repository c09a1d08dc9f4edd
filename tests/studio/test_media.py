"""Films that the browser asks for: opened once, read again if others took their place."""

import io

import numpy as np
import pytest
from PIL import Image

import stst
from stst.errors import FramesError
from stst.studio import media
from stst.video.frames import to_uint8


@pytest.fixture
def paths(tmp_path):
    """Three films of 3, 4 and 5 frames."""
    made = [tmp_path / f"{frames}.webm" for frames in (3, 4, 5)]
    for path in made:
        stst.write_video(
            stst.make_stimulus("drifting-grating", frames=int(path.stem), **SIZE).clip, path
        )
    return made


SIZE = {"height": 16, "width": 24, "frame_rate": 25}


def test_a_film_that_gave_way_to_others_is_read_again(paths, monkeypatch):
    monkeypatch.setattr(media, "KEPT", 1)
    films = media.Media()
    keys = [films.open(path).key for path in paths]
    for key, path in zip(keys, paths, strict=True):
        shown = films.shown(key)
        assert shown.path == path
        picture = np.array(Image.open(io.BytesIO(shown.png(2))))
        np.testing.assert_array_equal(picture, to_uint8(stst.read_video(path).frames)[2])


def test_a_film_is_read_once_while_it_is_open(paths):
    films = media.Media()
    assert films.open(paths[0]) is films.open(paths[0])
    assert films.open(paths[0], frames=2) is not films.open(paths[0])


@pytest.mark.parametrize("index", [-1, 3])
def test_a_frame_that_is_not_there_is_told(paths, index):
    with pytest.raises(FramesError, match="3 frames, counted from 0"):
        media.Media().open(paths[0]).png(index)


def test_a_film_that_was_never_opened_is_told():
    with pytest.raises(FramesError, match="Reload the page"):
        media.Media().shown("0")


def test_a_film_whose_file_changed_after_it_gave_way_is_told(paths, monkeypatch):
    monkeypatch.setattr(media, "KEPT", 1)
    films = media.Media()
    keys = [films.open(path).key for path in paths]
    paths[0].write_bytes(paths[1].read_bytes())
    paths[1].unlink()
    for key in keys[:2]:
        with pytest.raises(FramesError, match="Reload the page"):
            films.shown(key)
