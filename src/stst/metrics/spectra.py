"""Spectra of luminance in space and time.

All functions take luminance of shape (T, H, W), where 0 is black and 1 is white. Amplitudes are
scaled so that white noise of standard deviation s has amplitude s at every frequency. Spatial
spectra are those of the periodic component (Moisan 2011), which removes the jump between opposite
edges.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import fft, ndimage

from stst.losses.functional import periodic
from stst.metrics.luminance import Array


def faded(values: Array, window: Array) -> Array:
    """Subtract the weighted mean over time and apply a window.

    Parameters
    ----------
    values : ndarray
        Values with time first, shape (T, ...).
    window : ndarray
        Weights that broadcast to `values`, such as ``hann(T)[:, None]``.

    Returns
    -------
    ndarray
        Windowed values of the shape of `values`; their sum over time is 0.

    Examples
    --------
    >>> faded(np.ones((4, 2)), hann(4)[:, None]).tolist()
    [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    return np.asarray((values - (values * window).sum(0) / window.sum()) * window)


def hann(length: int) -> Array:
    """Compute a Hann window without zeros.

    Parameters
    ----------
    length : int
        Number of samples.

    Returns
    -------
    ndarray
        Weights at the centres of the samples, shape (length,).

    Examples
    --------
    >>> hann(4).round(3).tolist()
    [0.146, 0.854, 0.854, 0.146]
    """
    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2)


# The slope is fitted from LOWEST cycles per frame side, where rings hold enough frequencies to
# average, to HIGHEST cycles/px, where the filters of video codecs begin.
LOWEST, HIGHEST = 3, 0.4
ORIENTATIONS = 12
RINGS = 4  # per octave
_EVEN = 1e-20  # power per pixel below this is rounding error
FINE = 0.25  # cycles/px: half the Nyquist frequency


def spatial_spectrum(luminance: Array) -> tuple[Array, Array]:
    """Compute the spatial amplitude spectrum of each frame.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    frequency : ndarray
        Mean frequency of each ring, cycles/px, shape (n,). Rings are a quarter of an octave wide,
        up to 0.5 cycles/px.
    amplitude : ndarray
        RMS amplitude in each ring, shape (T, n).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0.5, 0.1, (1, 64, 64))
    >>> frequency, amplitude = spatial_spectrum(noise)
    >>> bool(abs(amplitude.mean() - 0.1) < 0.01)
    True
    """
    radius = np.hypot(*_frequencies(luminance.shape[1:]))
    count = int(RINGS * np.log2(min(luminance.shape[1:]) / 4))
    edges = 0.5 * 2.0 ** (-np.arange(count, -1, -1) / RINGS)
    ring = np.digitize(radius, edges)  # 0 below the lowest, count + 1 above the highest
    rings = np.intersect1d(ring, np.arange(1, count + 1))  # without empty rings
    counts = np.broadcast_to(_counts(luminance.shape[2]), radius.shape)
    size = ndimage.sum(counts, ring, rings)
    powers = [ndimage.sum(power * counts, ring, rings) / size for power in _powers(luminance)]
    return np.asarray(ndimage.sum(radius * counts, ring, rings) / size), np.sqrt(powers)


def spectral_slope(frequency: Array, amplitude: Array, side: int) -> Array:
    """Compute the slope of the spatial spectrum on logarithmic axes.

    Parameters
    ----------
    frequency : ndarray
        Frequencies from `spatial_spectrum`, cycles/px, shape (n,).
    amplitude : ndarray
        Amplitudes from `spatial_spectrum`, shape (T, n).
    side : int
        Shorter side of the frames, px.

    Returns
    -------
    ndarray
        Exponent of frequency, shape (T,): -1 for 1/f. White noise has -0.07 rather than 0, because
        taking the periodic component changes its spectrum.

    Notes
    -----
    The line is fitted from 3 cycles per shorter side to 0.4 cycles/px.

    Examples
    --------
    >>> frequency = np.geomspace(0.01, 0.5, 20)
    >>> spectral_slope(frequency, 1 / frequency[None], side=128).round(6).tolist()
    [-1.0]
    """
    fitted = (frequency >= LOWEST / side) & (frequency <= HIGHEST)
    heights = np.log(amplitude[:, fitted].clip(1e-9))
    return np.asarray(np.polyfit(np.log(frequency[fitted]), heights.T, 1)[0])


def orientation_energy(luminance: Array) -> tuple[Array, Array]:
    """Compute the share of power at each orientation.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    orientation : ndarray
        Orientation of contours, degrees counter-clockwise from horizontal, shape (12,).
    share : ndarray
        Share of power, shape (T, 12); each row sums to 1.

    Notes
    -----
    Frequencies from 3 cycles per shorter side to 0.5 cycles/px are counted.

    Examples
    --------
    >>> stripes = np.sin(np.arange(64) / 2)[None, :, None] * np.ones((1, 64, 64))
    >>> orientation, share = orientation_energy(stripes)  # horizontal stripes
    >>> float(orientation[share[0].argmax()])
    0.0
    """
    down, right = _frequencies(luminance.shape[1:])
    radius = np.hypot(down, right)
    # A contour is perpendicular to its frequency, and rows are counted downwards.
    contour = np.degrees(np.arctan2(-down, right)) + 90
    width = 180 / ORIENTATIONS
    bins = np.rint(contour / width).astype(int) % ORIENTATIONS
    used = (radius >= LOWEST / min(luminance.shape[1:])) & (radius <= 0.5)
    counts = np.broadcast_to(_counts(luminance.shape[2]), radius.shape)
    size = np.bincount(bins[used], counts[used], ORIENTATIONS).clip(1)
    powers = ((power * counts)[used] for power in _powers(luminance))
    shares = np.stack([np.bincount(bins[used], power, ORIENTATIONS) / size for power in powers])
    shares += 1e-15  # a uniform frame gets equal shares
    return width * np.arange(ORIENTATIONS, dtype=np.float64), shares / shares.sum(1, keepdims=True)


def high_frequency(luminance: Array) -> Array:
    """Compute the share of power at high spatial frequencies.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    ndarray
        Share of power above 0.25 cycles/px (half the Nyquist frequency), 0 to 1, shape (T,). It is
        0 for a uniform frame.

    Notes
    -----
    A Hann window fades each frame to its mean at the edges.

    Examples
    --------
    >>> checks = np.indices((16, 16)).sum(0) % 2
    >>> high_frequency(np.stack([checks, np.ones((16, 16))])).round(3).tolist()
    [1.0, 0.0]
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
    """Return vertical and horizontal frequencies of a half spectrum, cycles/px."""
    height, width = size
    down, right = np.meshgrid(fft.fftfreq(height), fft.rfftfreq(width), indexing="ij")
    return down, right


def _counts(width: int) -> Array:
    """Return how often each column of a half spectrum occurs in the whole one: (W // 2 + 1,)."""
    counts = np.full(width // 2 + 1, 2.0)
    counts[0] = 1
    if width % 2 == 0:
        counts[-1] = 1
    return counts


def _powers(luminance: Array) -> Iterator[Array]:
    """Yield the power of each frame's half spectrum about its mean, (H, W // 2 + 1)."""
    for frame in luminance:
        centred = periodic(frame - frame.mean(), (0, 1))
        yield np.square(np.abs(fft.rfft2(centred))) / frame.size


COLUMNS = 16  # spatial frequencies of the x-t spectrum


def temporal_spectrum(luminance: Array, frame_rate: float) -> tuple[Array, Array]:
    """Compute the temporal amplitude spectrum of pixels.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).
    frame_rate : float
        Frames per second.

    Returns
    -------
    frequency : ndarray
        Temporal frequency above 0, Hz, shape (T // 2,).
    amplitude : ndarray
        RMS amplitude over pixels, shape (T // 2,).

    Notes
    -----
    Subtracting the mean over time lowers the amplitude at the lowest frequency: white noise has
    0.76 of its standard deviation there.

    Examples
    --------
    >>> time = np.arange(16) / 16
    >>> blinking = np.sin(2 * np.pi * 4 * time)[:, None, None] * np.ones((16, 8, 8))
    >>> frequency, amplitude = temporal_spectrum(blinking, frame_rate=16)
    >>> float(frequency[amplitude.argmax()])
    4.0
    """
    window = hann(len(luminance))
    power = np.zeros(len(luminance) // 2 + 1)
    for row in luminance.transpose(1, 0, 2):  # (T, W)
        power += np.square(np.abs(fft.rfft(faded(row, window[:, None]), axis=0))).sum(1)
    mean = power / luminance[0].size / np.square(window).sum()
    return fft.rfftfreq(len(luminance), 1 / frame_rate)[1:], np.sqrt(mean[1:])


def xt_spectrum(luminance: Array, frame_rate: float) -> tuple[Array, Array, Array]:
    """Compute the amplitude spectrum of x-t slices.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).
    frame_rate : float
        Frames per second.

    Returns
    -------
    spatial : ndarray
        Horizontal spatial frequency, cycles/px, shape (n,) with n <= 16.
    temporal : ndarray
        Temporal frequency without 0, Hz, shape (T - 1,). It is positive for motion to the right and
        negative for motion to the left. With an even number of frames, half the frame rate belongs
        to both directions.
    amplitude : ndarray
        RMS amplitude over rows, shape (T - 1, n).

    Examples
    --------
    >>> time, x = np.mgrid[:16, :32]
    >>> right = np.sin(2 * np.pi * (x / 8 - time / 4))[:, None] * np.ones((16, 8, 32))
    >>> _, temporal, amplitude = xt_spectrum(right, frame_rate=16)
    >>> float(temporal[amplitude.max(1).argmax()])
    4.0
    """
    length, width = len(luminance), luminance.shape[2]
    window = hann(length)[:, None]
    power = np.zeros((length, width // 2 + 1))
    for row in luminance.transpose(1, 0, 2):
        power += np.square(np.abs(fft.rfft2(faded(periodic(row, (1,)), window))))
    power /= luminance.shape[1] * width * np.square(window).sum()
    # sin(k x - w t) moves to the right and has spatial and temporal frequencies of opposite signs.
    temporal = -fft.fftfreq(length, 1 / frame_rate)
    order = np.argsort(temporal)
    order = order[temporal[order] != 0]
    parts = np.array_split(np.arange(1, width // 2 + 1), min(COLUMNS, width // 2))
    spatial = np.array([fft.rfftfreq(width)[part].mean() for part in parts])
    columns = np.stack([power[:, part].mean(1) for part in parts], 1)
    return spatial, temporal[order], np.sqrt(columns[order])
