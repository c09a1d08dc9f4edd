"""What measures change with, and what not: turns, mirrors, shifts, a constant, reversal, length."""

from itertools import product

import numpy as np
import pytest

from stst.metrics import luminance as measures
from stst.metrics import spectra
from stst.metrics.motion import motion_energy

RATE = 24.0
SIZES = [(32, 48), (33, 48), (33, 47), (40, 40)]
# The eight turns and mirrors of a frame: transposed or not, then mirrored down and across.
SYMMETRIES = list(product([False, True], repeat=3))


def movie(size=(33, 48), frames=8, seed=0):
    """Coloured noise that is alike in no two directions: (T, H, W) in [0, 1]."""
    rng = np.random.default_rng(seed)
    down, right = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]
    envelope = 1 / (0.05 + np.hypot(2 * down + right, right))
    noise = np.fft.rfft2(rng.standard_normal((frames, *size)))
    values = np.fft.irfft2(noise * envelope, size)
    return 0.5 + 0.1 * values / values.std()


def shown(values, symmetry):
    """Frames that are turned and mirrored."""
    transposed, down, across = symmetry
    values = values.swapaxes(1, 2) if transposed else values
    return values[:, :: -1 if down else 1, :: -1 if across else 1]


def angles(degrees, symmetry, period):
    """Directions, counter-clockwise from right, of what is turned and mirrored."""
    transposed, down, across = symmetry
    right, up = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    if transposed:  # right is down now, and down is right
        right, up = -up, -right
    up, right = -up if down else up, -right if across else right
    return np.degrees(np.arctan2(up, right)) % period


def same(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


UNTURNED = {
    "luminance": measures.mean_luminance,
    "contrast": measures.rms_contrast,
    "pixel change": measures.pixel_change,
    "flicker": measures.flicker,
    "drift": measures.drift,
    "frequencies": lambda values: spectra.spatial_spectrum(values)[0],
    "spatial spectrum": lambda values: spectra.spatial_spectrum(values)[1],
    "slope": lambda values: spectra.spectral_slope(
        *spectra.spatial_spectrum(values), min(values.shape[1:])
    ),
    "high frequency": spectra.high_frequency,
    "temporal spectrum": lambda values: spectra.temporal_spectrum(values, RATE)[1],
    "histogram": lambda values: measures.histogram_distance(values, values**2),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("name", UNTURNED)
def test_turns_and_mirrors_change_nothing(name, symmetry, size):
    values = movie(size)
    same(UNTURNED[name](shown(values, symmetry)), UNTURNED[name](values))


def test_rings_that_count_half_of_the_spectrum_once_are_caught(monkeypatch):
    """The planted fault: a grating and its transpose differed by 39 %."""
    monkeypatch.setattr(spectra, "_counts", lambda width: np.ones(width // 2 + 1))
    with pytest.raises(AssertionError):
        test_turns_and_mirrors_change_nothing("spatial spectrum", (True, False, False), (33, 48))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_orientations_turn_with_the_frame(symmetry, size):
    values = movie(size)
    contours, shares = spectra.orientation_energy(values)
    _, turned = spectra.orientation_energy(shown(values, symmetry))
    places = np.rint(angles(contours, symmetry, 180) / 15).astype(int) % 12
    same(turned[:, places], shares)


@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_motion_energy_turns_with_the_frame(symmetry, size):
    values = np.stack([np.roll(movie(size, frames=1)[0], 2 * t, 1) for t in range(16)])
    directions, shares = motion_energy(values)
    _, turned = motion_energy(shown(values, symmetry))
    step = 360 / len(directions)
    places = np.rint(angles(directions, symmetry, 360) / step).astype(int) % len(directions)
    same(turned[..., places], shares)


@pytest.mark.parametrize("name", sorted(set(UNTURNED) - {"luminance", "drift", "histogram"}))
def test_a_constant_is_not_counted(name):
    values = movie()
    same(UNTURNED[name](values + 0.1), UNTURNED[name](values))


def test_a_constant_is_what_luminance_grows_by():
    values = movie()
    same(measures.mean_luminance(values + 0.1), measures.mean_luminance(values) + 0.1)


@pytest.mark.parametrize(
    "name", ["luminance", "contrast", "spatial spectrum", "slope", "high frequency"]
)
def test_each_frame_is_measured_by_itself(name):
    values = movie()
    same(UNTURNED[name](values[::-1]), UNTURNED[name](values)[::-1])
    same(UNTURNED[name](values[:5]), UNTURNED[name](values)[:5])


@pytest.mark.parametrize("name", ["pixel change", "flicker"])
def test_changes_are_the_same_backwards(name):
    values = movie()
    same(UNTURNED[name](values[::-1]), UNTURNED[name](values)[::-1])


def test_drift_is_the_other_way_backwards():
    values = movie() + np.linspace(0, 0.2, 8)[:, None, None]
    same(measures.drift(values[::-1]), -measures.drift(values))


@pytest.mark.parametrize("shift", [(3, 0), (0, 5), (-4, 7)])
def test_whole_spectra_of_textures_without_borders_do_not_change_with_place(shift):
    values = movie((32, 32))
    ring = np.roll(values, shift, (1, 2))
    for name in ("luminance", "contrast", "pixel change", "flicker", "temporal spectrum"):
        same(UNTURNED[name](ring), UNTURNED[name](values))
