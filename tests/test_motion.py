"""What the method is for: the metamer of a moving clip moves as the clip does."""

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

from stst import Clip, Recipe, factorize, load_stream, make_stimulus, synthesize
from stst.losses.functional import gram, relative_error
from stst.stimuli.stimulus import pink_noise
from stst.video.frames import to_uint8

FRAMES, HEIGHT, WIDTH, SPEED = 5, 96, 128, 2


@pytest.fixture(scope="module")
def panned():
    """A texture that moves to the right by 2 px a frame."""
    rng = np.random.default_rng(3)
    wide = np.stack([pink_noise((HEIGHT, WIDTH + 32), rng) for _ in range(3)])
    wide = torch.from_numpy(0.5 + 0.15 * wide / wide.std()).float().clamp(0, 1)
    starts = [32 - SPEED * i for i in range(FRAMES)]
    return Clip(torch.stack([wide[..., s : s + WIDTH] for s in starts]), Fraction(25))


def median_flow(clip):
    """Median DIS flow of each frame pair, (T - 1, 2): px to the right and down."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in to_uint8(clip.frames)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.array([np.median(dis.calc(a, b, None).reshape(-1, 2), 0) for a, b in pairwise(grey)])


def moves_alike(clip, within=0.2):
    """Speed within a share, direction within 10 degrees, from the second kept frame on."""
    right, down = median_flow(clip)[1:].T
    speed = np.abs(np.hypot(right, down) / SPEED - 1).max()
    direction = np.abs(np.degrees(np.arctan2(down, right))).max()
    return speed <= within and direction <= 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "within", "expected"),
    [
        ({}, 0.2, True),
        ({"weights.time_texture": 0}, 0.3, False),  # the planted fault: nothing asks for motion
    ],
)
def test_the_metamer_of_a_panned_texture_is_panned(panned, settings, within, expected):
    recipe = Recipe.preset("default").with_settings(settings)
    assert moves_alike(panned)
    metamer = synthesize(panned, spatial="compact", recipe=recipe).result().clip
    assert bool(moves_alike(metamer, within)) is expected


def spatial_residual(made, natural):
    """Mean relative error of the Gram matrices of the spatial stream."""
    stream = load_stream("compact")
    pairs = [stream(clip.frames[:, None], stream.texture_layers) for clip in (made, natural)]
    errors = [relative_error(*(gram(found[name]) for found in pairs)) for name in pairs[0]]
    return float(torch.stack(errors).mean())


@pytest.mark.slow
def test_a_factorised_clip_looks_like_one_clip_and_moves_like_the_other():
    raster = {"frames": 6, "height": 80, "width": 96, "speed": 2}
    space = make_stimulus("camera-path", direction=180, seed=1, **raster).clip
    time = make_stimulus("dead-leaves", direction=90, **raster).clip
    made = factorize(space, time, spatial="compact").result().clip
    to_space, to_time = (spatial_residual(made, clip) for clip in (space, time))
    assert 3 * to_space < to_time
    right, down = np.median(median_flow(made)[1:], 0)
    assert abs(np.degrees(np.arctan2(-down, right)) - 90) < 20
