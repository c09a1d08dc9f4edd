"""Spectra over time: pure functions of luminance, (T, H, W).

There are few frames, so values fade to their mean at both ends (Hann window). Amplitudes are
such that white noise of standard deviation s has s at every frequency.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from stst.evaluate.edges import faded, hann
from stst.evaluate.luminance import Array
from stst.periodic import periodic

COLUMNS = 16  # spatial frequencies of the x-t spectrum


def temporal_spectrum(luminance: Array, frame_rate: float) -> tuple[Array, Array]:
    """Amplitude at each temporal frequency above 0 of what a pixel shows over time.

    Parameters
    ----------
    luminance : ndarray
        (T, H, W).
    frame_rate : float
        Frames per second.

    Returns
    -------
    frequency : ndarray
        (n,), Hz, up to half the frame rate.
    amplitude : ndarray
        (n,), root mean square over pixels.
    """
    window = hann(len(luminance))
    power = np.zeros(len(luminance) // 2 + 1)
    for row in luminance.transpose(1, 0, 2):  # (T, W)
        power += np.square(np.abs(fft.rfft(faded(row, window[:, None]), axis=0))).sum(1)
    mean = power / luminance[0].size / np.square(window).sum()
    return fft.rfftfreq(len(luminance), 1 / frame_rate)[1:], np.sqrt(mean[1:])


def xt_spectrum(luminance: Array, frame_rate: float) -> tuple[Array, Array, Array]:
    """Amplitude of x-t slices at each spatial and temporal frequency.

    Parameters
    ----------
    luminance : ndarray
        (T, H, W).
    frame_rate : float
        Frames per second.

    Returns
    -------
    spatial : ndarray
        (n,), cycles a px, the middles of 16 bins above 0 (fewer in narrow frames).
    temporal : ndarray
        (T - 1,), Hz in order, without 0; above 0 is motion to the right.
    amplitude : ndarray
        (T - 1, n), root mean square over rows of pixels.
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
