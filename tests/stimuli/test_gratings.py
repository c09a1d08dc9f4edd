"""Gratings: their Fourier components, their motion, their window, and what they refuse."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from warping import gap

from stst import make_stimulus
from stst.errors import RecipeError

pytestmark = pytest.mark.usefixtures("globals_unchanged")
degrees = st.floats(-360, 360)


def seen(made):
    return made.clip.frames[:, 0].double().numpy()


@given(kx=st.integers(-15, 15), ky=st.integers(-15, 15), kt=st.integers(0, 7), phase=degrees)
def test_a_drifting_grating_is_one_fourier_component_where_it_should_be(kx, ky, kt, phase):
    assume(kx or ky)
    frequency = np.hypot(kx / 32, ky / 48)
    assume(frequency <= 0.5)
    made = make_stimulus(
        "drifting-grating",
        wavelength=1 / frequency,
        direction=np.degrees(np.arctan2(-ky / 48, kx / 32)),
        speed=kt / 16 / frequency,
        contrast=0.6,
        phase=phase,
        **{"frames": 16, "height": 48, "width": 32},
    )
    amplitudes = np.abs(np.fft.fftn(seen(made) - 0.5)) / (16 * 48 * 32)
    assert amplitudes[-kt, ky, kx] == pytest.approx(0.6 / 4, abs=1e-6)  # ft = -(fx vx + fy vy)
    assert amplitudes[kt, -ky, -kx] == pytest.approx(0.6 / 4, abs=1e-6)
    assert (amplitudes > 1e-6).sum() == 2


@given(direction=degrees, wavelength=st.floats(6, 40), share=st.floats(0.1, 0.95))
def test_the_flow_of_a_drifting_grating_leads_back(direction, wavelength, share):
    speed = share * wavelength / 2
    raster = {"frames": 2, "height": 64, "width": 64}
    settings = {"direction": direction, "wavelength": wavelength, "speed": speed}
    made = make_stimulus("drifting-grating", **settings, **raster)
    flow = made.flow[0, :, 0, 0].tolist()
    assert gap(made) < 0.01
    quarter = np.multiply(flow, wavelength / 4 / speed)
    assert gap(made, wrong=quarter) > 0.5


def test_the_phase_is_that_at_the_centre():
    made = make_stimulus("drifting-grating", phase=30, contrast=0.4, height=33, width=49)
    assert seen(made)[0, 16, 24] == pytest.approx(0.5 + 0.2 * 0.5)


@pytest.mark.parametrize("kind", ["drifting-grating", "plaid", "expanding-rings"])
def test_beside_the_window_is_mid_grey_at_rest(kind):
    whole = make_stimulus(kind, height=48, width=64)
    disc = make_stimulus(kind, height=48, width=64, radius=15)
    rows, columns = np.indices((48, 64)) - np.reshape([23.5, 31.5], (2, 1, 1))
    distance = torch.from_numpy(np.hypot(rows, columns))
    beside, inside = distance > 15.5, distance < 14.5
    assert (disc.clip.frames[:, :, beside] == 0.5).all()
    assert (disc.flow[:, :, beside] == 0).all()
    assert torch.equal(disc.clip.frames[:, :, inside], whole.clip.frames[:, :, inside])
    assert torch.equal(disc.flow[:, :, inside], whole.flow[:, :, inside])


def test_a_counterphase_grating_reverses_at_its_frequency():
    settings = {"frame_rate": 24, "temporal_frequency": 3, "wavelength": 10, "direction": 20}
    frames = seen(made := make_stimulus("counterphase-grating", **settings))
    assert made.flow is None
    np.testing.assert_allclose(frames[4:] - 0.5, 0.5 - frames[:-4], atol=1e-6)
    np.testing.assert_allclose(frames[2::4], 0.5, atol=1e-6)
    assert not np.allclose(frames[2:] - 0.5, 0.5 - frames[:-2], atol=0.1)


@pytest.mark.parametrize("rate", ["24", "30000/1001"])
def test_at_half_the_frame_rate_it_reverses_in_each_frame(rate):
    half = float(Fraction(rate)) / 2
    made = make_stimulus("counterphase-grating", frame_rate=rate, temporal_frequency=half)
    np.testing.assert_allclose(seen(made)[1:] - 0.5, 0.5 - seen(made)[:-1], atol=1e-5)
    with pytest.raises(RecipeError, match="at most half the frame rate"):
        make_stimulus("counterphase-grating", frame_rate=rate, temporal_frequency=half * 1.01)


@given(direction=degrees, wavelength=st.floats(2, 40), share=st.floats(0.05, 0.9))
def test_it_is_the_mean_of_two_gratings_that_drift_apart(direction, wavelength, share):
    speed = share * wavelength / 2
    common = {"wavelength": wavelength, "frames": 4, "height": 16, "width": 16}
    flicker = {"temporal_frequency": 24 * speed / wavelength, "frame_rate": 24}
    standing = make_stimulus("counterphase-grating", direction=direction, **flicker, **common)
    there = make_stimulus("drifting-grating", direction=direction, speed=speed, **common)
    back = make_stimulus(  # a sine is odd: from the other side its phase is opposite
        "drifting-grating", direction=direction + 180, speed=speed, phase=180, **common
    )
    np.testing.assert_allclose(seen(standing), (seen(there) + seen(back)) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("drifting-grating", {"wavelength": 8, "speed": 4}, "speed: .* 4 px per frame"),
        ("drifting-grating", {"wavelength": 2}, "speed: .*appears reversed"),  # its default is 1
        ("drifting-grating", {"speed": -1}, "speed"),
        ("drifting-grating", {"radius": 0}, "radius"),
        ("counterphase-grating", {"temporal_frequency": 13}, "(?i)half the frame rate, 12 Hz"),
        ("counterphase-grating", {"frame_rate": 6}, "(?i)half the frame rate, 3 Hz"),
        ("counterphase-grating", {"wavelength": 1.9}, "wavelength"),
    ],
)
def test_what_would_alias_is_refused_in_one_line(kind, settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        make_stimulus(kind, **settings)
    assert "\n" not in str(caught.value)
