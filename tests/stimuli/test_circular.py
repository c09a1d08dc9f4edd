"""Gratings that turn and rings that spread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from warping import gap

from stst import make_stimulus
from stst.errors import RecipeError

pytestmark = pytest.mark.usefixtures("globals_unchanged")


def offsets(height, width):
    """Places of the pixels, px right and DOWN of the centre."""
    rows, columns = np.indices((height, width))
    return columns - (width - 1) / 2, rows - (height - 1) / 2


@given(turn=st.floats(-4, 4), direction=st.floats(0, 360), phase=st.floats(0, 360))
def test_the_flow_of_a_rotation_leads_back(turn, direction, phase):
    settings = {"direction": direction, "phase": phase, "radius": None, "wavelength": 12}
    raster = {"frames": 2, "height": 64, "width": 56}
    made = make_stimulus("rotating-grating", turn=turn, **settings, **raster)
    assert gap(made) < 0.01
    across = 3 * np.cos(np.radians(direction)), -3 * np.sin(np.radians(direction))
    assert gap(made, wrong=across) > 0.5


def test_a_rotation_keeps_distances_from_the_centre():
    made = make_stimulus("rotating-grating", frames=2, radius=None, turn=4)
    x, y = offsets(128, 128)
    right, down = made.flow[0].double().numpy()
    np.testing.assert_allclose(np.hypot(x + right, y + down), np.hypot(x, y), atol=1e-4)


def test_positive_turns_are_counter_clockwise_as_seen():
    settings = {"turn": 30, "radius": 20, "wavelength": 48, "direction": 10}
    frames = make_stimulus("rotating-grating", **settings).clip.frames[:, 0].numpy()
    np.testing.assert_allclose(frames[3], np.rot90(frames[0]), atol=1e-6)
    seen = ndimage.rotate(frames[0], 30, reshape=False, order=3, mode="nearest")
    inside = np.hypot(*offsets(128, 128)) < 14
    np.testing.assert_allclose(frames[1][inside], seen[inside], atol=2e-3)
    back = make_stimulus("rotating-grating", **settings | {"turn": -30}).clip.frames[:, 0]
    np.testing.assert_allclose(back[3], np.rot90(frames[0], -1), atol=1e-6)


@pytest.mark.parametrize("speed", [0.8, 2.5, -1.4])
def test_the_flow_of_rings_is_radial_and_leads_back(speed):
    made = make_stimulus("expanding-rings", frames=3, speed=speed, height=65, width=81)
    x, y = offsets(65, 81)
    right, down = made.flow[1].double().numpy()
    known = np.isfinite(right)
    distance = np.hypot(x, y)
    assert np.array_equal(known, (distance > 0) & (distance + speed >= 0))
    assert np.abs(right * y - down * x)[known].max() < 1e-4
    np.testing.assert_allclose((right * x + down * y)[known], (speed * distance)[known], atol=1e-4)
    assert gap(made, t=1) < 0.02
    assert gap(made, t=1, wrong=(2, 0)) > 0.1


def test_rings_are_the_same_all_around():
    frames = make_stimulus("expanding-rings", height=64, width=64, phase=40).clip.frames
    for turned in (1, 2, 3):
        assert np.allclose(frames, np.rot90(frames, turned, (2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("rotating-grating", {"turn": 9}, r"turn: .*less than 8\.19 degrees per frame"),
        ("rotating-grating", {"turn": -9}, "turn: .*appears reversed"),
        ("rotating-grating", {"radius": None, "height": 1080, "width": 1920}, "turn: "),
        ("expanding-rings", {"speed": -8}, "speed: .*half a wavelength, 8 px"),
        ("expanding-rings", {"wavelength": 1}, "wavelength"),
    ],
)
def test_what_would_alias_is_refused_in_one_line(kind, settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        make_stimulus(kind, **settings)
    assert "\n" not in str(caught.value)


def test_a_disc_may_turn_as_fast_as_its_rim_allows():
    assert make_stimulus("rotating-grating", turn=20, radius=20).flow.abs().max() < 14
