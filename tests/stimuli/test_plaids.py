"""Plaids: the sum of their gratings, and the one velocity that both have."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from warping import gap

from stst import make_stimulus
from stst.errors import RecipeError

pytestmark = pytest.mark.usefixtures("globals_unchanged")
pairs = st.tuples


@given(
    directions=pairs(st.floats(0, 360), st.floats(0, 360)),
    speeds=pairs(st.floats(0, 3.9), st.floats(0, 3.9)),
)
def test_the_flow_is_the_intersection_of_the_constraints(directions, speeds):
    assume(abs(np.sin(np.radians(directions[0] - directions[1]))) > 0.1)
    raster = {"frames": 2, "height": 16, "width": 16}
    made = make_stimulus("plaid", directions=directions, speeds=speeds, **raster)
    assert (made.flow == made.flow[:, :, :1, :1]).all()
    right, down = made.flow[0, :, 0, 0].tolist()
    for direction, speed in zip(np.radians(directions), speeds, strict=True):
        along = right * np.cos(direction) - down * np.sin(direction)
        assert along == pytest.approx(speed, abs=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"directions": (20, 60), "speeds": (1, 2.5), "wavelengths": (9, 14)},  # of type II
        {"directions": (100, -30), "speeds": (0, 1.5), "contrasts": (0.2, 0.7)},
    ],
)
def test_the_flow_of_a_plaid_leads_back(settings):
    made = make_stimulus("plaid", frames=3, **settings)
    assert gap(made, t=1) < 0.01
    assert gap(made, t=1, wrong=(1, 0)) > 0.1
    assert gap(made, t=1, wrong=(0, -1)) > 0.1


def test_a_plaid_is_the_sum_of_its_gratings():
    settings = {"wavelengths": (9, 14), "speeds": (1, 2), "directions": (20, 75)}
    made = make_stimulus("plaid", contrasts=(0.3, 0.5), phases=(10, 70), **settings)
    alone = [
        make_stimulus(
            "drifting-grating", wavelength=w, speed=s, direction=d, contrast=c, phase=p
        ).clip.frames
        for w, s, d, c, p in ((9, 1, 20, 0.3, 10), (14, 2, 75, 0.5, 70))
    ]
    np.testing.assert_allclose(made.clip.frames, alone[0] + alone[1] - 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"directions": (10, 190.5)}, "directions: .*parallel gratings"),
        ({"speeds": (1, 8)}, "speeds: .*half a wavelength, 8 px per frame"),
        ({"wavelengths": (16, 2)}, "speeds: .*half a wavelength, 1 px per frame"),
        ({"contrasts": (0.6, 0.6)}, "contrasts: .*at most 1"),
        ({"speeds": (1,)}, "speeds"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        make_stimulus("plaid", **settings)
    assert "\n" not in str(caught.value)
