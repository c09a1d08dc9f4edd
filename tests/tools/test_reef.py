"""The demonstration clip: its motion, steadiness and statistics, measured from outside."""

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

import reef
from reef import DEMO, PAN, SWIM, folds, natural_scene, pebbles
from stst.errors import FramesError
from stst.stimuli.stimulus import pink_noise
from stst.video.frames import Clip, to_uint8
from stst.video.read import read_video
from stst.workflows.installation import FILM


@pytest.fixture(scope="module")
def clip() -> Clip:
    return natural_scene(frames=8)


def mean_flow(clip: Clip) -> np.ndarray:
    """Mean DIS flow (x, y) of the left and right margins, beside the fish: px a frame."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in to_uint8(clip.frames)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flows = [dis.calc(*pair, None) for pair in pairwise(grey)]
    edge = clip.size[1] // 7
    flow = np.stack(flows)
    return np.concatenate([flow[:, :, :edge], flow[:, :, -edge:]], 2).mean((0, 1, 2))


def orange(clip: Clip) -> torch.Tensor:
    return clip.frames[:, 0] - clip.frames[:, 2] > 0.5  # (T, H, W)


def spectral_slope(picture: np.ndarray) -> float:
    """Of log amplitude over log frequency, from 0.02 to 0.4 cycles a px."""
    height, width = picture.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    amplitude = np.abs(np.fft.fft2((picture - picture.mean()) * window))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    edges = np.geomspace(0.02, 0.4, 12)
    rings = list(pairwise(edges))
    mean = [amplitude[(frequency >= low) & (frequency < high)].mean() for low, high in rings]
    middle = [np.sqrt(low * high) for low, high in rings]
    return float(np.polyfit(np.log(middle), np.log(mean), 1)[0])


def test_the_clip_is_what_was_asked_for():
    clip = natural_scene(frames=3, height=40, width=72, frame_rate=Fraction(30000, 1001))
    assert clip.frames.shape == (3, 3, 40, 72)
    assert clip.frame_rate == Fraction(30000, 1001)


@pytest.mark.parametrize("size", [(32, 33), (90, 32), (33, 160)])
def test_odd_portrait_and_wide_sizes_work(size):
    height, width = size
    assert natural_scene(frames=2, height=height, width=width).size == size


@pytest.mark.usefixtures("globals_unchanged")
def test_the_same_arguments_give_the_same_clip(clip):
    assert torch.equal(natural_scene(frames=8).frames, clip.frames)


def test_another_seed_gives_another_scene(clip):
    other = natural_scene(frames=8, seed=1)
    beside_fish = ~(orange(clip) | orange(other))
    gap = (clip.frames - other.frames).abs().mean(1)[beside_fish]
    assert gap.mean() > 0.05
    assert mean_flow(other) == pytest.approx([-PAN, 0], abs=0.15)


def test_the_range_is_used(clip):
    low, high = np.quantile(clip.frames.numpy(), [0.01, 0.99])
    assert low < 0.15
    assert high > 0.85
    assert (clip.frames == 1).float().mean() < 0.01  # hardly anything is burnt out


def test_the_background_moves_by_the_stated_pan(clip):
    assert mean_flow(clip) == pytest.approx([-PAN, 0], abs=0.15)


def test_the_measurement_of_the_pan_sees_another_pan(monkeypatch):
    monkeypatch.setattr(reef, "PAN", 2)
    assert mean_flow(natural_scene(frames=4)) == pytest.approx([-2, 0], abs=0.3)


def test_the_fish_swims_to_the_right():
    clip = natural_scene()
    mask = orange(clip)
    assert 0.05 < mask.float().mean() < 0.4
    columns = torch.arange(clip.size[1])
    place = (mask.sum(1) * columns).sum(1) / mask.sum((1, 2))
    speed = float(place[-1] - place[0]) / (len(clip) - 1)
    assert speed == pytest.approx(SWIM, abs=0.3)  # the tail beat moves the mean too
    assert (place.diff() > 0.3).all()
    assert (place.diff() < 3).all()


def test_the_fish_stays_in_view_in_a_long_clip():
    clip = natural_scene(frames=60, height=32, width=56)
    assert (orange(clip).float().mean((1, 2)) > 0.05).all()


def flicker(clip: Clip) -> float:
    """Largest change of the mean luminance from one frame to the next."""
    return float(clip.frames.mean((1, 2, 3)).diff().abs().max())


def test_nothing_flickers(clip):
    assert flicker(clip) < 0.002


def test_the_measurement_of_flicker_sees_one_percent(clip):
    gain = torch.tensor([1, 0.99]).repeat(len(clip) // 2)[:, None, None, None]
    assert flicker(Clip(clip.frames * gain, clip.frame_rate)) > 0.002


def test_the_water_follows_the_pan_exactly(clip):
    water = clip.frames[:, :, : clip.size[0] // 10]  # above fish and sunlight
    assert (water[1:, ..., :-PAN] - water[:-1, ..., PAN:]).abs().max() < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_the_spectrum_falls_as_that_of_photographs(seed):
    frame = natural_scene(frames=1, seed=seed).frames[0].mean(0).numpy()
    assert spectral_slope(frame) == pytest.approx(-1.05, abs=0.25)


def test_the_regions_carry_texture(clip):
    frame = clip.frames[0].mean(0).numpy()
    detail = frame - cv2.GaussianBlur(frame, (0, 0), 4)
    blocks = detail[:144, :256].reshape(9, 16, 16, 16).std((1, 3))
    assert blocks.min() > 0.004  # no flat block of 16 px, not even in the water
    assert np.median(blocks) > 0.02


def test_the_film_of_the_demo_was_made_so():
    assert FILM.read_bytes() == DEMO.read_bytes()
    film, painted = read_video(FILM), natural_scene(frames=6, height=100, width=176)
    assert film.frame_rate == painted.frame_rate
    assert (film.frames - painted.frames).abs().max() < 0.004  # of 8 bits


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"height": 31}, {"width": 8}, {"frames": -3}])
def test_too_few_pixels_or_frames_are_refused(wrong):
    with pytest.raises(FramesError, match="at least 1 frame of 32 x 32"):
        natural_scene(**wrong)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_pink_noise_has_the_slope_it_is_asked_for(slope):
    noise = pink_noise((128, 192), np.random.default_rng(0), slope=slope)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=1e-5)
    assert noise.std() == pytest.approx(1, abs=1e-5)
    assert spectral_slope(noise) == pytest.approx(-slope, abs=0.15)


def test_stretched_noise_is_longer_than_high():
    noise = pink_noise((128, 128), np.random.default_rng(0), slope=1.5, stretch=4)
    down, across = (np.abs(np.diff(noise, axis=axis)).mean() for axis in (0, 1))
    assert down > 1.5 * across


@pytest.mark.parametrize("skin", [pebbles, folds])
def test_skins_repeat_at_their_spacing(skin):
    texture = skin((160, 160), 16.0, np.random.default_rng(0))
    assert texture.shape == (160, 160)
    assert texture.max() <= 1
    power = np.abs(np.fft.fft2(texture - texture.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(160), np.fft.fftfreq(160)))
    middle = (power * frequency).sum() / power.sum()
    assert 0.5 / 16 < middle < 2.5 / 16


def test_a_panorama_is_a_picture():
    picture = reef.panorama((48, 100), np.random.default_rng(3))
    assert picture.shape == (48, 100, 3)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1
