"""Spectra of frames: pure functions of luminance, (T, H, W).

The Fourier transform takes opposite edges to be neighbours: the jumps between them are taken
away with no pixel weighing less than another (`periodic`). Amplitudes are such that white noise
of standard deviation s has s at every frequency.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import fft

from stst.losses.functional import periodic
from stst.metrics.luminance import Array


def faded(values: Array, window: Array) -> Array:
    """Values about the mean over time that the window sees, faded to 0."""
    return np.asarray((values - (values * window).sum(0) / window.sum()) * window)


def hann(length: int) -> Array:
    """Weights at the middles of samples, so that none is 0 and lost."""
    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2)


LOWEST, HIGHEST = 3, 0.4  # cycles a frame side, cycles a px: between them the slope is fitted
ORIENTATIONS = 12
RINGS = 4  # an octave
_EVEN = 1e-20  # power of a pixel that is rounding
FINE = 0.25  # cycles a px: half the Nyquist frequency


def spatial_spectrum(luminance: Array) -> tuple[Array, Array]:
    """Amplitude at each spatial frequency, over all orientations, of frames (T, H, W).

    Frequencies (n,) are the means of rings, four an octave up to 0.5 cycles a px; amplitudes
    (T, n) the root mean squares over them.
    """
    radius = np.hypot(*_frequencies(luminance.shape[1:]))
    count = int(RINGS * np.log2(min(luminance.shape[1:]) / 4))
    edges = 0.5 * 2.0 ** (-np.arange(count, -1, -1) / RINGS)
    ring = np.digitize(radius, edges).ravel()  # 0 below the lowest, count + 1 above the highest
    size = np.bincount(ring, minlength=count + 2)[1:-1]

    def means(values: Array) -> Array:
        total = np.bincount(ring, values.ravel(), count + 2)[1:-1]
        return np.asarray(total[size > 0] / size[size > 0])

    return means(radius), np.sqrt([means(power) for power in _powers(luminance)])


def spectral_slope(frequency: Array, amplitude: Array, side: int) -> Array:
    """Exponent of frequency that the amplitude falls with: (T,), -1 for 1/f.

    For amplitudes that fall, as those of pictures do: neighbours in white noise are as unlike
    as opposite edges, and it is seen with a slope of about -0.07.

    A straight line through the logarithms, from 3 cycles a frame side (of `side` px, the shorter
    one), which frames have enough of to average, to 0.4 cycles a px, where a video's own filters
    begin. Frequencies (n,) and amplitudes (T, n) are those of `spatial_spectrum`.
    """
    fitted = (frequency >= LOWEST / side) & (frequency <= HIGHEST)
    heights = np.log(amplitude[:, fitted].clip(1e-9))
    return np.asarray(np.polyfit(np.log(frequency[fitted]), heights.T, 1)[0])


def orientation_energy(luminance: Array) -> tuple[Array, Array]:
    """Share of the power of contours at each orientation, of frames (T, H, W).

    Orientations (12,) are in degrees counter-clockwise from the horizontal: 90 for upright
    contours. Shares (T, 12) are from 3 cycles a frame side to 0.5 cycles a px; each frame's are
    1 together, and 1/12 each where none is preferred.
    """
    down, right = _frequencies(luminance.shape[1:])
    radius = np.hypot(down, right)
    # A contour is normal to its frequency, and rows are counted downwards.
    contour = np.degrees(np.arctan2(-down, right)) + 90
    width = 180 / ORIENTATIONS
    bins = np.rint(contour / width).astype(int) % ORIENTATIONS
    used = (radius >= LOWEST / min(luminance.shape[1:])) & (radius <= 0.5)
    size = np.bincount(bins[used], minlength=ORIENTATIONS).clip(1)
    power = [
        np.bincount(bins[used], found[used], ORIENTATIONS) / size for found in _powers(luminance)
    ]
    shares = np.stack(power) + 1e-15  # an even frame has none, and prefers none
    return width * np.arange(ORIENTATIONS, dtype=np.float64), shares / shares.sum(1, keepdims=True)


def high_frequency(luminance: Array) -> Array:
    """Share of each frame's power above half the Nyquist frequency: (T, H, W) -> (T,).

    In any direction, the mean apart; 0 where a frame is even. Frames fade to their mean at their
    edges (Hann window): between neighbours that are as unlike as these are there is no jump.
    """
    window = np.multiply.outer(*map(hann, luminance.shape[1:]))
    fine = np.hypot(*_frequencies(luminance.shape[1:])) > FINE
    shares = []
    for frame in luminance:
        level = np.average(frame, weights=window)
        power = np.square(np.abs(fft.rfft2((frame - level) * window)))
        even = power.sum() <= _EVEN * frame.size
        shares.append(0.0 if even else power[fine].sum() / power.sum())
    return np.array(shares)


def _frequencies(size: tuple[int, ...]) -> tuple[Array, Array]:
    """Cycles a px down and to the right of a frame's half spectrum."""
    height, width = size
    down, right = np.meshgrid(fft.fftfreq(height), fft.rfftfreq(width), indexing="ij")
    return down, right


def _powers(luminance: Array) -> Iterator[Array]:
    """Power of each frame's half spectrum about its mean, (H, W // 2 + 1)."""
    for frame in luminance:
        centred = periodic(frame - frame.mean(), (0, 1))
        yield np.square(np.abs(fft.rfft2(centred))) / frame.size


COLUMNS = 16  # spatial frequencies of the x-t spectrum


def temporal_spectrum(luminance: Array, frame_rate: float) -> tuple[Array, Array]:
    """Amplitude at each temporal frequency above 0 of what a pixel shows over time, (T, H, W).

    Frequencies (n,) are in Hz, up to half the frame rate; amplitudes (n,) root mean squares
    over pixels.
    """
    window = hann(len(luminance))
    power = np.zeros(len(luminance) // 2 + 1)
    for row in luminance.transpose(1, 0, 2):  # (T, W)
        power += np.square(np.abs(fft.rfft(faded(row, window[:, None]), axis=0))).sum(1)
    mean = power / luminance[0].size / np.square(window).sum()
    return fft.rfftfreq(len(luminance), 1 / frame_rate)[1:], np.sqrt(mean[1:])


def xt_spectrum(luminance: Array, frame_rate: float) -> tuple[Array, Array, Array]:
    """Amplitude of x-t slices of (T, H, W) at each spatial and temporal frequency.

    Spatial frequencies (n,) are in cycles a px, the middles of 16 bins above 0 (fewer in narrow
    frames); temporal ones (T - 1,) in Hz in order, without 0: above 0 is motion to the right.
    Amplitudes (T - 1, n) are root mean squares over rows of pixels.
    """
    length, width = len(luminance), luminance.shape[2]
    window = hann(length)[:, None]
    power = np.zeros((length, width // 2 + 1))
    for row in luminance.transpose(1, 0, 2):
        power += np.square(np.abs(fft.rfft2(faded(periodic(row, (1,)), window))))
    power /= luminance.shape[1] * width * np.square(window).sum()
    # sin(k x - w t) has frequencies of opposite signs.
    temporal = -fft.fftfreq(length, 1 / frame_rate)
    order = np.argsort(temporal)
    order = order[temporal[order] != 0]
    parts = np.array_split(np.arange(1, width // 2 + 1), min(COLUMNS, width // 2))
    spatial = np.array([fft.rfftfreq(width)[part].mean() for part in parts])
    columns = np.stack([power[:, part].mean(1) for part in parts], 1)
    return spatial, temporal[order], np.sqrt(columns[order])
