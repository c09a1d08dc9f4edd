"""Measures of clips whose truth is known, and of outside oracles."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.signal import periodogram
from scipy.stats import circmean, wasserstein_distance
from skimage.registration import phase_cross_correlation

from stst import Clip, make_stimulus
from stst.metrics import luminance, motion, spectra
from stst.metrics.measures import bands, clip_features, relative, shares, turn
from stst.metrics.motion import motion_energy


def clip_of(values):
    """A grey clip: (T, H, W)."""
    return Clip(torch.from_numpy(np.stack([values] * 3, 1)).float(), Fraction(24))


def falling(exponent, frames=64, side=128):
    """Noise whose amplitude falls as a power of frequency, and is even over a ring."""
    rng = np.random.default_rng(0)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    radius[0, 0] = np.inf
    phase = np.angle(np.fft.rfft2(rng.standard_normal((frames, side, side))))
    return np.fft.irfft2(radius**exponent * np.exp(1j * phase), (side, side))


def grating(**settings):
    return clip_features(make_stimulus("drifting-grating", frames=16, **settings).clip, "encoded")


def test_luminance_contrast_and_change_of_a_grating():
    clip = grating(contrast=0.6, wavelength=16, speed=1)
    np.testing.assert_allclose(luminance.mean_luminance(clip.luminance), 0.5, rtol=0.02)
    np.testing.assert_allclose(luminance.rms_contrast(clip.luminance), 0.3 / 2**0.5, rtol=0.02)
    # Of a sine a (sin x - sin(x + d)): 2 a sin(d / 2) times the mean of |cos|.
    change = 0.3 * 2 * np.sin(np.pi / 16) * 2 / np.pi
    np.testing.assert_allclose(luminance.pixel_change(clip.luminance), change, rtol=0.02)
    assert abs(luminance.drift(clip.luminance)) < 1e-3


def test_linear_light_is_darker_than_encoded_values():
    grey = clip_of(np.full((4, 32, 32), 0.5))
    assert clip_features(grey, "linear").luminance.mean() == pytest.approx(0.2140, abs=1e-3)


def test_flicker_and_drift_of_known_steps():
    steps = np.array([0.4, 0.6, 0.4, 0.6, 0.4])[:, None, None] * np.ones((1, 8, 8))
    np.testing.assert_allclose(luminance.flicker(steps), 0.2)
    rising = np.linspace(0.2, 0.6, 9)[:, None, None] * np.ones((1, 8, 8))
    np.testing.assert_allclose(luminance.flicker(rising), 0, atol=1e-12)
    assert luminance.drift(rising) == pytest.approx(0.4)


def test_the_histogram_distance_is_scipys():
    one, other = (
        np.random.default_rng(0).random((2, 3, 8, 9)) ** np.array([1, 2])[:, None, None, None]
    )
    wanted = [wasserstein_distance(a.ravel(), b.ravel()) for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(luminance.histogram_distance(one, other), wanted)


@pytest.mark.parametrize("exponent", [-0.7, -1, -1.3])
def test_the_slope_of_the_spectrum_is_the_exponent(exponent):
    frequency, amplitude = spectra.spatial_spectrum(falling(exponent))
    found = spectra.spectral_slope(frequency, amplitude, 128).mean()
    assert found == pytest.approx(exponent, abs=0.02)


def test_white_noise_has_its_deviation_at_every_frequency():
    noise = np.random.default_rng(0).normal(0, 0.1, (24, 64, 72))
    frequency, amplitude = spectra.spatial_spectrum(noise)
    fine = amplitude[:, frequency > 0.1]  # below, edges of noise are no jumps to take away
    spatial, temporal, xt = spectra.xt_spectrum(noise, 24)
    xt = xt[np.abs(temporal) > 1]  # the lowest loses a part to the mean that is taken away
    for found in (fine, spectra.temporal_spectrum(noise, 24)[1], xt[:, spatial > 0.1]):
        assert np.sqrt(np.square(found).mean()) == pytest.approx(0.1, rel=0.02)


def test_the_temporal_spectrum_is_scipys_periodogram():
    noise = np.random.default_rng(0).random((16, 6, 5))
    window = np.sin(np.pi * (np.arange(16) + 0.5) / 16) ** 2
    centred = noise - np.average(noise, 0, window)
    frequency, power = periodogram(centred, 24, window, detrend=False, axis=0)
    ours = spectra.temporal_spectrum(noise, 24)
    np.testing.assert_allclose(ours[0], frequency[1:])
    sides = np.array([2.0] * 7 + [1])  # scipy adds the negative frequencies
    np.testing.assert_allclose(ours[1] ** 2, power[1:].mean((1, 2)) * 24 / sides)


@pytest.mark.parametrize(("direction", "contour"), [(0, 90), (90, 0), (45, 135), (120, 30)])
def test_a_grating_has_its_orientation(direction, contour):
    orientation, share = spectra.orientation_energy(grating(direction=direction).luminance)
    assert orientation[share.mean(0).argmax()] == contour
    assert share.max() > 0.8


def test_noise_prefers_no_orientation():
    _, share = spectra.orientation_energy(falling(0))
    np.testing.assert_allclose(share.mean(0), 1 / 12, rtol=0.05)


def test_the_share_of_high_frequencies_is_that_of_a_periodogram():
    row, window = np.random.default_rng(0).random(64), np.sin(np.pi * (np.arange(64) + 0.5) / 64)
    centred = row - np.average(row, weights=window**2)
    frequency, power = periodogram(centred, window=window**2, detrend=False)
    wanted = power[frequency > 0.25].sum() / power.sum()
    assert spectra.high_frequency(row[None, None]) == pytest.approx(wanted, rel=1e-6)
    assert spectra.high_frequency(np.full((1, 8, 8), 0.3)) == 0


def test_an_even_clip_has_no_amplitude():
    even = np.full((8, 48, 40), 0.3)
    assert spectra.spatial_spectrum(even)[1].max() < 1e-12
    assert np.isfinite(spectra.orientation_energy(even)[1]).all()


@pytest.mark.parametrize(("speed", "sign"), [(2, 1), (-2, -1)])
def test_the_xt_spectrum_of_a_drift_lies_on_its_speed(speed, sign):
    clip = grating(speed=abs(speed), direction=0 if speed > 0 else 180, wavelength=16)
    spatial, temporal, amplitude = spectra.xt_spectrum(clip.luminance, 24)
    row, column = np.unravel_index(amplitude.argmax(), amplitude.shape)
    assert spatial[column] == pytest.approx(1 / 16, abs=1 / 64)
    assert temporal[row] == pytest.approx(sign * 24 * 2 / 16)


@pytest.mark.parametrize("direction", [0, 60, 180, 270])
def test_the_flow_of_a_moving_texture_is_the_truth(direction):
    made = make_stimulus("dead-leaves", frames=5, speed=1.5, direction=direction)
    flow = motion.optical_flow(made.clip)
    inside = np.s_[..., 8:-8, 8:-8]
    truth = made.flow.double().numpy()
    wrong = flow - np.where(np.isfinite(truth), truth, flow)
    assert np.abs(np.median(wrong[inside], (0, 2, 3))).max() < 0.05
    assert np.hypot(*wrong[inside].transpose(1, 0, 2, 3)).mean() < 0.2
    assert motion.speed(flow[inside]) == pytest.approx(1.5, abs=0.2)
    turn = (motion.direction(flow[inside]) - direction + 180) % 360 - 180
    assert np.abs(turn).max() < 5
    assert motion.coherence(flow[inside]).min() > 0.95
    angles, share = motion.direction_histogram(flow[inside])
    assert angles[share.argmax()] == direction
    # Another method of another package, on whole frames.
    grey = clip_features(made.clip, "encoded").luminance[inside]
    shifts = [phase_cross_correlation(b, a, upsample_factor=20)[0] for a, b in pairwise(grey)]
    np.testing.assert_allclose(flow[inside].mean((0, 2, 3))[::-1], np.mean(shifts, 0), atol=0.2)


def test_the_mean_direction_is_scipys_where_speeds_are_equal():
    angles = np.random.default_rng(0).uniform(-1, 2, (1, 6, 6))
    flow = np.stack([np.cos(angles), -np.sin(angles)], 1)  # DOWN
    assert motion.direction(flow)[0] == pytest.approx(np.degrees(circmean(angles)))
    assert motion.coherence(flow)[0] == pytest.approx(abs(np.exp(1j * angles).mean()))


def test_histograms_of_a_known_flow():
    flow = np.zeros((1, 2, 2, 2))
    flow[0, 0] = [[0, 3], [-1, 0.2]]
    speed, share = motion.speed_histogram(flow)
    assert dict(zip(speed[share > 0], share[share > 0], strict=True)) == {
        0: 0.25, 0.125: 0.25, 1: 0.25, 2: 0.25,
    }  # fmt: skip
    direction, share = motion.direction_histogram(flow)
    assert share[direction == 0] == pytest.approx(3.2 / 4.2)
    assert share[direction == 180] == pytest.approx(1 / 4.2)
    assert motion.direction_histogram(0 * flow)[1].sum() == 0


@pytest.mark.parametrize("direction", [0, 90, 225])
def test_motion_energy_is_in_the_direction_of_motion(direction):
    clip = make_stimulus("dead-leaves", frames=16, speed=2, direction=direction).clip
    angles, share = motion_energy(clip_features(clip, "encoded").luminance)
    assert angles[share.argmax()] == direction
    assert share.sum() == pytest.approx(1)


@pytest.mark.parametrize("direction", [0, 45, 270])
def test_motion_energy_is_that_of_pymotens_gabor_filters(direction):
    core = pytest.importorskip("moten.core")
    settings = {"frames": 16, "height": 64, "width": 64, "wavelength": 8, "direction": direction}
    values = clip_features(make_stimulus("drifting-grating", **settings).clip, "encoded").luminance
    flat = (values - values.mean()).reshape(16, -1)

    def theirs(towards):
        *space, sine, cosine = core.mk_3d_gabor(
            (64, 64), stimulus_fps=24, aspect_ratio=1.0, filter_temporal_width=16, centerh=0.5,
            centerv=0.5, direction=towards, spatial_freq=8.0, spatial_env=0.15,
            temporal_freq=3.0, temporal_env=0.3,
        )  # fmt: skip
        odd, even = (flat @ np.ravel(filters) for filters in space)
        return (odd @ cosine + even @ sine) ** 2 + (even @ cosine - odd @ sine) ** 2

    angles, share = motion_energy(values)
    assert np.corrcoef(share, [theirs(angle) for angle in angles])[0, 1] > 0.95


def test_errors_are_what_they_are_called():
    a = np.array
    assert relative(a([1.0, 3.0]), a([1.5, 2.5]), scale=2, least=0.1) == 0.25
    assert np.isnan(relative(a([1.0]), a([2.0]), scale=0.05, least=0.1))
    assert bands(a([100.0, 1.0]), a([110.0, 0.7])) == pytest.approx(0.2)
    assert shares(a([0.5, 0.5]), a([0.25, 0.75])) == 0.25
    assert np.isnan(shares(a([0.0]), a([1.0])))
    assert turn(a([170.0]), a([-100.0])) == 0.5
    still, moving = np.zeros((1, 2, 4, 4)), np.full((1, 2, 4, 4), 3.0)
    moving[:, 1] = 4
    assert motion.end_point_error(still, moving).tolist() == [5.0]
    up = a([0.0, -2.0]).reshape(1, 2, 1, 1)
    assert motion.direction(up).tolist() == [90.0]


def test_flicker_is_the_distance_from_neighbours_and_slopes_are_exponents():
    levels = np.array([0.25, 0.75, 0.25, 0.5, 0.75])[:, None, None]
    assert luminance.flicker(levels).tolist() == [0.5, 0.375, 0.0]
    frequency = np.geomspace(0.01, 0.5, 20)
    assert spectra.spectral_slope(frequency, 3 / frequency[None], 128) == pytest.approx(-1)
    waves = np.cos(2 * np.pi * np.multiply.outer((0.1, 0.4), np.arange(64)))
    fine = spectra.high_frequency(waves[:, None].repeat(64, 1))
    assert fine.round(3).tolist() == [0.0, 1.0]
