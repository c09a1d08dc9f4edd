"""Shots of films whose cuts are known, and of natural clips that have none."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cut_films import film, ramp, scene
from stst.video import shots
from stst.video.frames import Clip
from stst.video.read import read_video
from stst.video.shots import find_shots, split_at

DATA = Path(__file__).parents[3] / "shared" / "data"
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))]


def cuts(clip):
    found = find_shots(clip)
    assert [frame for shot in found for frame in shot] == list(range(len(clip)))
    return [shot.start for shot in found[1:]]


@given(lengths=st.lists(st.integers(4, 9), min_size=1, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_every_hard_cut_is_found_and_no_other(lengths, seed):
    parts = [scene(10 * seed + n, length) for n, length in enumerate(lengths)]
    assert cuts(film(*parts)) == np.cumsum(lengths)[:-1].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shot_may_be_one_frame_long(seed):
    a, b, c = (scene(3 * seed + n, 8) for n in range(3))
    assert cuts(film(a, b[:1], c)) == [8, 9]
    assert cuts(film(a, b[:1])) == [8]
    assert cuts(film(a[:1], b)) == [1]
    assert cuts(film(a, b[:1], c[:1], scene(99, 8))) == [8, 9, 10]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_frame_of_another_scene_is_no_flash(seed):
    a, b = scene(2 * seed, 12), scene(2 * seed + 1, 1)
    bright = 0.4 + 0.6 * b
    for other in (b, bright):
        assert cuts(film(a[:6], other, a[6:])) == [6, 7]


LIGHTS = {
    "washed out": lambda a: 0.3 * a + 0.7,
    "white": torch.ones_like,
    "clipped": lambda a: 2.5 * a,
}


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_flash_is_no_cut(seed, frames, light):
    a = scene(seed, 16)
    assert cuts(film(a[:6], LIGHTS[light](a[6 : 6 + frames]), a[6 + frames :])) == []


@pytest.mark.parametrize("frames", [3, 4, 6, 12])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_gradual_change_has_no_cut_within(seed, frames):
    a, b, share = scene(2 * seed, 20), scene(2 * seed + 1, 20), ramp(frames)
    mixed = (1 - share) * a[8 : 8 + frames] + share * b[:frames]
    assert cuts(film(a[:8], mixed, b[frames:])) == []


@pytest.mark.parametrize("frames", [4, 6, 12])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_fade_through_black_is_cut_at_its_darkest_place_or_not_at_all(seed, frames):
    a, b, share = scene(2 * seed, 20), scene(2 * seed + 1, 20), ramp(frames)
    out, into = (1 - share) * a[8 : 8 + frames], share * b[:frames]
    black = torch.zeros_like(a[:2])
    found = cuts(film(a[:8], out, black, into, b[frames:]))
    dark = 8 + frames
    assert set(found) <= set(range(dark, dark + 3))


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("speed", [0, 1, 4, 8])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_fast_camera_makes_no_cut(seed, speed, every):
    assert cuts(film(scene(seed, 30, speed=speed)[::every])) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_camera_that_is_jerked_makes_no_cut(seed):
    jerked = scene(seed, 2, speed=12)
    assert cuts(film(jerked[:1].expand(8, -1, -1, -1), jerked[1:].expand(8, -1, -1, -1))) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_large_object_that_passes_fast_makes_no_cut(seed):
    ground, thing = scene(2 * seed, 16, speed=0), scene(2 * seed + 1, 16, speed=0)
    for t in range(16):
        left = 12 * t - 60
        ground[t, :, :, max(left, 0) : max(left + 60, 0)] = thing[
            t, :, :, max(left, 0) : max(left + 60, 0)
        ]
    assert cuts(film(ground)) == []


@pytest.mark.parametrize("frames", [2, 3, 5, 9])
@pytest.mark.parametrize("size", [(16, 20), (40, 40), (90, 160)])
def test_noise_that_is_new_in_every_frame_has_no_shots(frames, size):
    dice = torch.Generator().manual_seed(frames)
    assert cuts(film(torch.rand(frames, 3, *size, generator=dice))) == []


def test_uniform_frames_have_no_shots():
    levels = torch.linspace(0, 1, 9).view(-1, 1, 1, 1).expand(-1, 3, 20, 30)
    assert cuts(film(levels)) == []


def test_two_frames_are_held_at_a_time():
    class Counting(Clip):
        def take(self, indices):
            assert len(indices) == 1
            return super().take(indices)

    clip = film(scene(0, 9), scene(1, 9))
    assert cuts(Counting(clip.frames, clip.frame_rate)) == [9]


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        *((f"{name}.gif", []) for name in ("flag_2", "smoke_plume_1", "water_3")),
        ("animal.mp4", []),
        ("carphone_pristine.mp4", []),
        ("bikes.mp4", [30, 76, 137, 187, 242]),  # seen by eye, on sheets of all its frames
    ],
)
def test_natural_clips_have_the_cuts_that_are_seen_in_them(name, wanted, every):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs {name} in ../shared/data")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # carphone has pixels that are not square
        clip = read_video(path, width=160, every=every)
    assert cuts(clip) == [-(-cut // every) for cut in wanted]


def test_shots_between_cuts():
    assert split_at([], 3) == (range(3),)
    assert split_at([1, 2], 3) == (range(1), range(1, 2), range(2, 3))


def still(before, after):
    return before


def no_flash(film, cuts):
    return list(cuts)


def any_light(picture, scene, mean):
    return True


def late(at, change, changes):
    return at > 0 and IS_CUT(at - 1, changes[at - 1], changes)


def any_large(at, change, changes):
    return change.is_large


IS_CUT = shots._is_cut
FLASH = (test_a_flash_is_no_cut, (0, 2, "white"))
JERKED = (test_a_camera_that_is_jerked_makes_no_cut, (0,))
NOISE = (test_noise_that_is_new_in_every_frame_has_no_shots, (9, (40, 40)))


@pytest.mark.parametrize(
    ("name", "planted", "test"),
    [
        ("_moved", still, JERKED),
        ("_without_flashes", no_flash, FLASH),
        ("_is_lit", any_light, (test_one_frame_of_another_scene_is_no_flash, (0,))),
        ("_is_cut", late, (test_a_shot_may_be_one_frame_long, (0,))),
        ("_is_cut", any_large, NOISE),
        ("FLASH", 1, FLASH),
        ("BESIDE", 0, (test_a_shot_may_be_one_frame_long, (0,))),
    ],
)
def test_a_planted_fault_is_caught(name, planted, test, monkeypatch):
    monkeypatch.setattr(shots, name, planted)
    check, arguments = test
    with pytest.raises(AssertionError):
        check(*arguments)
