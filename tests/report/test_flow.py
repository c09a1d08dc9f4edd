"""Flow as colours: direction is hue, speed is saturation."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stst import make_stimulus
from stst.report.flow import flow_picture

pytestmark = pytest.mark.usefixtures("globals_unchanged")


@given(angle=st.floats(0, 359.9), speed=st.floats(0.01, 1), fastest=st.floats(1, 1e3))
def test_a_step_has_the_colour_of_its_direction_and_speed(angle, speed, fastest):
    step = speed * torch.tensor([np.cos(np.radians(angle)), -np.sin(np.radians(angle))])
    flow = torch.stack([step, torch.tensor([0.0, fastest])], 1)[None, :, None]  # (1, 2, 1, 2)
    drawn = flow_picture(flow)
    assert (drawn.dtype, drawn.shape) == (np.uint8, (1, 1, 2, 3))
    wanted = np.multiply(255, colorsys.hsv_to_rgb(angle / 360, speed / fastest, 1))
    np.testing.assert_allclose(drawn[0, 0, 0], wanted, atol=0.51)


def test_the_fastest_step_of_all_frames_is_saturated():
    flow = torch.zeros(2, 2, 1, 2)
    flow[1, 0] = 4
    flow[0, 0] = 1
    assert flow_picture(flow)[:, 0, 0].tolist() == [[255, 191, 191], [255, 0, 0]]


def test_rest_is_white_and_what_is_not_known_is_grey():
    flow = torch.zeros(1, 2, 1, 3)
    flow[0, 1, 0, 2] = torch.nan
    assert flow_picture(flow)[0, 0].tolist() == [[255] * 3, [255] * 3, [128] * 3]
    assert (flow_picture(torch.full((2, 2, 3, 4), torch.nan)) == 128).all()


def test_a_rotation_is_the_colour_wheel():
    made = make_stimulus("rotating-grating", frames=3, height=41, width=41, radius=None)
    drawn = flow_picture(made.flow)
    assert drawn.shape == (2, 41, 41, 3)
    right, up, left, down = (drawn[0, *place] for place in ((20, 40), (0, 20), (20, 0), (40, 20)))
    # Counter-clockwise: on the right it goes up, at the top to the left.
    assert up.argmin() == 0
    assert up.max() == 255
    assert down.argmax() == 0
    assert right.argmax() == 1
    assert left.argmax() == 2
    assert (drawn[0, 20, 20] == 255).all()
