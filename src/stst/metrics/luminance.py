"""Luminance, its changes and its spectra: functions of (T, H, W), 0 is black and 1 is white.

Amplitudes are such that white noise of standard deviation s has s at every frequency. The jumps
between opposite edges, neighbours to the Fourier transform, are taken away (`periodic`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from stst.losses.functional import periodic

Array = npt.NDArray[np.float64]


def mean_luminance(luminance: Array) -> Array:
    """Mean of each frame: (T, H, W) -> (T,)."""
    return np.asarray(luminance.mean((1, 2)))


def rms_contrast(luminance: Array) -> Array:
    """Standard deviation of each frame, not divided by the mean: (T, H, W) -> (T,)."""
    return np.asarray(luminance.std((1, 2)))


def pixel_change(luminance: Array) -> Array:
    """Mean absolute difference of each frame to the next: (T, H, W) -> (T - 1,)."""
    return np.array([np.abs(b - a).mean() for a, b in pairwise(luminance)])


def flicker(luminance: Array) -> Array:
    """Mean absolute difference of pixels to the mean of their neighbours in time: (T - 2,)."""
    around = zip(luminance, luminance[1:], luminance[2:], strict=False)
    return np.array([np.abs(b - (a + c) / 2).mean() for a, b, c in around])


def drift(luminance: Array) -> float:
    """Change of mean luminance from the first frame to the last, by a straight line."""
    steps = np.arange(len(luminance))
    slope = np.polynomial.Polynomial.fit(steps, mean_luminance(luminance), 1).convert().coef
    return float(slope[1] * steps[-1]) if len(slope) > 1 else 0.0


def histogram_distance(luminance: Array, natural: Array) -> Array:
    """1-Wasserstein distance between the histograms of each frame: two (T, H, W) -> (T,)."""
    pairs = zip(luminance, natural, strict=True)
    return np.array([np.abs(np.sort(a, None) - np.sort(b, None)).mean() for a, b in pairs])


def faded(values: Array, window: Array) -> Array:
    """Values about the mean over time that the window sees, faded to 0."""
    return np.asarray((values - (values * window).sum(0) / window.sum()) * window)


def hann(length: int) -> Array:
    """Weights at the middles of samples, so that none is 0 and lost."""
    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2)


# Cycles a frame side, of which frames have enough to average, and cycles a px, where a video's own
# filters begin: between them the slope is fitted.
LOWEST, HIGHEST = 3, 0.4
ORIENTATIONS = 12
RINGS = 4  # an octave
_EVEN = 1e-20  # power of a pixel that is rounding
FINE = 0.25  # cycles a px: half the Nyquist frequency


def spatial_spectrum(luminance: Array) -> tuple[Array, Array]:
    """Means of rings of spatial frequency (n,), four an octave, and RMS amplitudes (T, n)."""
    radius = np.hypot(*_frequencies(luminance.shape[1:]))
    count = int(RINGS * np.log2(min(luminance.shape[1:]) / 4))
    edges = 0.5 * 2.0 ** (-np.arange(count, -1, -1) / RINGS)
    ring = np.digitize(radius, edges)  # 0 below the lowest, count + 1 above the highest
    rings = np.intersect1d(ring, np.arange(1, count + 1))  # those that hold any
    counts = np.broadcast_to(_counts(luminance.shape[2]), radius.shape)
    size = ndimage.sum(counts, ring, rings)
    powers = [ndimage.sum(power * counts, ring, rings) / size for power in _powers(luminance)]
    return np.asarray(ndimage.sum(radius * counts, ring, rings) / size), np.sqrt(powers)


def spectral_slope(frequency: Array, amplitude: Array, side: int) -> Array:
    """Exponent of frequency that the amplitude falls with: (T,), -1 for 1/f.

    By a straight line through the logarithms, from 3 cycles a frame side (of `side` px, the shorter
    one) to 0.4 cycles a px. White noise has -0.07: its neighbours are as unlike as opposite edges.
    """
    fitted = (frequency >= LOWEST / side) & (frequency <= HIGHEST)
    heights = np.log(amplitude[:, fitted].clip(1e-9))
    return np.asarray(np.polyfit(np.log(frequency[fitted]), heights.T, 1)[0])


def orientation_energy(luminance: Array) -> tuple[Array, Array]:
    """Orientations of contours (12,), degrees counter-clockwise from the horizontal, and shares.

    Shares of power (T, 12), 1 together, are from 3 cycles a frame side to 0.5 cycles a px.
    """
    down, right = _frequencies(luminance.shape[1:])
    radius = np.hypot(down, right)
    # A contour is normal to its frequency, and rows are counted downwards.
    contour = np.degrees(np.arctan2(-down, right)) + 90
    width = 180 / ORIENTATIONS
    bins = np.rint(contour / width).astype(int) % ORIENTATIONS
    used = (radius >= LOWEST / min(luminance.shape[1:])) & (radius <= 0.5)
    counts = np.broadcast_to(_counts(luminance.shape[2]), radius.shape)
    size = np.bincount(bins[used], counts[used], ORIENTATIONS).clip(1)
    powers = ((power * counts)[used] for power in _powers(luminance))
    shares = np.stack([np.bincount(bins[used], power, ORIENTATIONS) / size for power in powers])
    shares += 1e-15  # an even frame has none, and prefers none
    return width * np.arange(ORIENTATIONS, dtype=np.float64), shares / shares.sum(1, keepdims=True)


def high_frequency(luminance: Array) -> Array:
    """Share of each frame's power above half the Nyquist frequency: (T, H, W) -> (T,).

    0 where a frame is even. Frames fade to their mean at their edges (Hann window).
    """
    window = np.multiply.outer(*map(hann, luminance.shape[1:]))
    fine = np.hypot(*_frequencies(luminance.shape[1:])) > FINE
    shares = []
    for frame in luminance:
        level = np.average(frame, weights=window)
        power = np.square(np.abs(fft.rfft2((frame - level) * window))) * _counts(len(frame[0]))
        even = power.sum() <= _EVEN * frame.size
        shares.append(0.0 if even else power[fine].sum() / power.sum())
    return np.array(shares)


def _frequencies(size: tuple[int, ...]) -> tuple[Array, Array]:
    """Cycles a px down and to the right of a frame's half spectrum."""
    height, width = size
    down, right = np.meshgrid(fft.fftfreq(height), fft.rfftfreq(width), indexing="ij")
    return down, right


def _counts(width: int) -> Array:
    """How often each column of a half spectrum is in the whole one: (W // 2 + 1,)."""
    counts = np.full(width // 2 + 1, 2.0)
    counts[0] = 1
    if width % 2 == 0:
        counts[-1] = 1
    return counts


def _powers(luminance: Array) -> Iterator[Array]:
    """Power of each frame's half spectrum about its mean, (H, W // 2 + 1)."""
    for frame in luminance:
        centred = periodic(frame - frame.mean(), (0, 1))
        yield np.square(np.abs(fft.rfft2(centred))) / frame.size


COLUMNS = 16  # spatial frequencies of the x-t spectrum


def temporal_spectrum(luminance: Array, frame_rate: float) -> tuple[Array, Array]:
    """Frequencies above 0 (n,), Hz, of pixels over time, and amplitudes (n,): RMS over pixels.

    The lowest has lost a part to the mean over time: white noise has 0.76 of its deviation there.
    """
    window = hann(len(luminance))
    power = np.zeros(len(luminance) // 2 + 1)
    for row in luminance.transpose(1, 0, 2):  # (T, W)
        power += np.square(np.abs(fft.rfft(faded(row, window[:, None]), axis=0))).sum(1)
    mean = power / luminance[0].size / np.square(window).sum()
    return fft.rfftfreq(len(luminance), 1 / frame_rate)[1:], np.sqrt(mean[1:])


def xt_spectrum(luminance: Array, frame_rate: float) -> tuple[Array, Array, Array]:
    """Spatial and temporal frequencies of x-t slices, and amplitudes (T - 1, n): RMS over rows.

    (n,) in cycles a px, at most 16; (T - 1,) in Hz, without 0: above 0 is motion to the right,
    but for half the frame rate (of an even number of frames), which is of both directions.
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
