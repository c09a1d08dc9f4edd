"""Motion Clouds: their spectrum, beside the authors' program and the published formula."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from warping import gap

from stst import make_stimulus
from stst.errors import RecipeError
from stst.stimuli.clouds import MotionCloud

pytestmark = pytest.mark.usefixtures("globals_unchanged")
RASTER = {"frames": 12, "height": 32, "width": 48}
CLOUDS = (
    {},
    {"frequency": 0.2, "frequency_band": 0.05, "orientation": 30, "orientation_band": 20},
    {"orientation_band": None, "speed": 1.5, "direction": 130, "speed_band": 0.2},
    {"orientation": -60, "orientation_band": 3, "speed": 0, "speed_band": 2},
)


def paper_terms(settings):
    """The settings in the paper's symbols: y and angles are DOWN and clockwise there."""
    asked = MotionCloud().model_dump() | settings
    direction, width = np.radians(asked["direction"]), asked["orientation_band"]
    return {
        "sf_0": asked["frequency"],
        "B_sf": asked["frequency_band"],
        "V_X": asked["speed"] * np.cos(direction),
        "V_Y": -asked["speed"] * np.sin(direction),
        "B_V": asked["speed_band"],
        "theta": -np.radians(asked["orientation"]),
        "B_theta": np.inf if width is None else np.radians(width),
    }


def amplitudes(made):
    """Of each component, (T, H, W), the largest being 1; and where they can be compared."""
    found = np.abs(np.fft.fftn(made.clip.frames[:, 0].double().numpy() - 0.5))
    inner = np.ones(found.shape, bool)
    for axis, size in enumerate(found.shape):  # Nyquist: a real signal has no phase there
        inner[(slice(None),) * axis + (size // 2,)] = False
    return np.where(inner, found, 0) / found[inner].max(), inner


def formula(sf_0, B_sf, V_X, V_Y, B_V, theta, B_theta):
    """Sanz-Leon et al. 2012, the product of the three envelopes, component by component."""
    ft, fy, fx = (np.fft.fftfreq(RASTER[side]) for side in ("frames", "height", "width"))
    found = np.zeros((len(ft), len(fy), len(fx)))
    for place in np.ndindex(found.shape):
        t, y, x = ft[place[0]], fy[place[1]], fx[place[2]]
        if (radius := np.hypot(x, y)) == 0:
            continue
        octave = np.log(radius / sf_0) / np.log((sf_0 + B_sf) / sf_0)
        away = (x * V_X + y * V_Y + t) / (B_V * radius)
        turned = np.cos(2 * (np.arctan2(y, x) - theta)) / (4 * B_theta**2)
        most = 0 if np.isinf(B_theta) else 1 / (4 * B_theta**2)  # keeps exp from overflowing
        found[place] = np.exp(-(octave**2 + away**2) / 2 + turned - most) / radius
    return found


@pytest.mark.parametrize("settings", CLOUDS)
def test_the_spectrum_is_the_published_envelope(settings):
    made = make_stimulus("motion-cloud", contrast=0.1, seed=3, **settings, **RASTER)
    found, inner = amplitudes(made)
    wanted = np.where(inner, formula(**paper_terms(settings)), 0)
    np.testing.assert_allclose(found, wanted / wanted.max(), atol=1e-4)
    planted = np.where(inner, formula(**paper_terms({"speed": 2.5} | settings)), 0)
    if "speed" not in settings:
        assert np.abs(found - planted / planted.max()).max() > 0.1


@pytest.mark.parametrize("settings", CLOUDS)
def test_the_spectrum_is_that_of_the_authors_program(settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an escape in a string, when it is compiled
        program = pytest.importorskip("MotionClouds")
    made = make_stimulus("motion-cloud", contrast=0.1, seed=3, **settings, **RASTER)
    found, inner = amplitudes(made)
    grids = program.get_grids(RASTER["width"], RASTER["height"], RASTER["frames"])
    envelope = program.envelope_gabor(*grids, **paper_terms(settings))  # (x, y, t)
    wanted = np.where(inner, np.fft.ifftshift(envelope).transpose(2, 1, 0), 0)
    np.testing.assert_allclose(found, wanted / wanted.max(), atol=1e-4)


def test_another_seed_has_other_phases_and_the_same_spectrum():
    one, two = (make_stimulus("motion-cloud", contrast=0.1, seed=s, **RASTER) for s in (1, 2))
    assert one.flow is None
    assert float((one.clip.frames - two.clip.frames).abs().mean()) > 0.01
    np.testing.assert_allclose(amplitudes(one)[0], amplitudes(two)[0], atol=1e-4)


@pytest.mark.parametrize(("direction", "shift"), [(0, (0, 2)), (90, (-2, 0))])
def test_it_moves_where_it_is_told_to(direction, shift):
    settings = {"orientation_band": None, "speed": 2, "speed_band": 0.3, "direction": direction}
    frames = make_stimulus("motion-cloud", **settings).clip.frames[:, 0].numpy() - 0.5
    spectra = np.fft.fft2(frames)
    likeness = np.fft.ifft2(spectra[1:] * spectra[:-1].conj()).real.mean(0)
    peak = np.unravel_index(likeness.argmax(), likeness.shape)
    assert tuple((np.array(peak) + 64) % 128 - 64) == shift


@given(speed=st.floats(0, 3.9), direction=st.floats(0, 360), seed=st.integers(0, 99))
def test_without_a_band_of_speeds_it_is_rigid_and_has_a_flow(speed, direction, seed):
    settings = {"speed": speed, "direction": direction, "frequency_band": 0.02, "seed": seed}
    raster = {"frames": 3, "height": 48, "width": 48}
    made = make_stimulus("motion-cloud", speed_band=0, orientation_band=None, **settings, **raster)
    assert gap(made, t=1) < 0.02
    assert gap(made, t=1, wrong=(1, 1)) > 0.4


@pytest.mark.parametrize("speed_band", [0, 0.5])
def test_the_contrast_is_the_deviation_and_what_is_clipped_is_counted(speed_band):
    faint, strong = (
        make_stimulus("motion-cloud", contrast=c, speed_band=speed_band, **RASTER) for c in (0.1, 1)
    )
    assert float(faint.clip.frames.std(correction=0)) / 0.5 == pytest.approx(0.1, rel=0.02)
    assert float(faint.clip.frames.mean()) == pytest.approx(0.5, abs=1e-3)
    assert faint.clipped == 0
    ends = (strong.clip.frames == 0) | (strong.clip.frames == 1)
    assert strong.clipped == pytest.approx(float(ends.float().mean()))
    assert strong.clipped > 0.2  # of a Gaussian, 0.317 is further than its deviation away


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"speed": 4}, "speed: .*less than 4 px per frame, half a cycle"),
        ({"frequency": 0.5}, "speed: .*less than 1 px per frame"),
        ({"frequency": 0.6}, "frequency"),
        ({"orientation_band": 0}, "orientation_band"),
    ],
)
def test_what_would_alias_is_refused_in_one_line(settings, told):
    with pytest.raises(RecipeError, match=told) as caught:
        make_stimulus("motion-cloud", **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"frequency": 0.01, "frequency_band": 0.001}, {"speed": 1.3, "speed_band": 1e-4}]
)
def test_a_band_between_the_components_is_refused(settings):
    with pytest.raises(RecipeError, match="Use larger frames, more frames or wider bands"):
        make_stimulus("motion-cloud", **settings, **RASTER)


def test_it_repeats_in_space():
    made = make_stimulus("motion-cloud", **RASTER)
    grey = made.clip.frames[:, 0]
    seam = (grey[:, :, 0] - grey[:, :, -1]).std() / (grey[:, :, 1:] - grey[:, :, :-1]).std()
    assert torch.isclose(seam, torch.tensor(1.0), atol=0.15)
