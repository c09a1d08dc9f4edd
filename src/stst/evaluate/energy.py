"""Motion energy: what is left of a clip's power in bands of direction and frequency."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import fft

from stst.evaluate.edges import faded, hann
from stst.evaluate.luminance import Array
from stst.periodic import periodic

SIDE = 64  # px of the short side that frames are reduced to, as finer motion costs much
WAVES = (4, 8, 16)  # px per cycle, of the reduced frames
RATES = (0.125, 0.25)  # cycles a frame
DIRECTIONS = 8
_OCTAVE = 0.4  # standard deviation of a band over its centre frequency


def motion_energy(luminance: Array) -> tuple[Array, Array]:
    """Share of the motion energy in each direction.

    The power that quadrature pairs of space-time Gabor filters (Adelson & Bergen 1985) would
    let pass, summed over the clip: by Parseval's theorem it is the power spectrum under
    Gaussian bands. Frames are reduced to 64 px; 3 wavelengths and 2 temporal frequencies.

    Parameters
    ----------
    luminance : ndarray
        (T, H, W).

    Returns
    -------
    direction : ndarray
        (8,), degrees counter-clockwise from the right.
    share : ndarray
        (8,), together 1, or all 0 where nothing moves.
    """
    power, (ft, fy, fx) = _power(_reduced(luminance))
    angles = 360 / DIRECTIONS * np.arange(DIRECTIONS, dtype=np.float64)
    energy = np.zeros(DIRECTIONS)
    for index, angle in enumerate(np.radians(angles)):
        for wave in WAVES:
            for rate in RATES:
                # Motion to the right has frequencies of opposite signs, and so has motion up.
                centre = np.cos(angle) / wave, -np.sin(angle) / wave, -rate
                space = (fx - centre[0]) ** 2 + (fy - centre[1]) ** 2
                band = np.exp(-space / (2 * (_OCTAVE / wave) ** 2))
                band = band * np.exp(-((ft - centre[2]) ** 2) / (2 * (_OCTAVE * rate) ** 2))
                energy[index] += (power * band).sum() / band.sum()
    return angles, np.asarray(energy / (energy.sum() or 1))


def _reduced(luminance: Array) -> Array:
    scale = min(1, SIDE / min(luminance.shape[1:]))
    height, width = (round(scale * side) for side in luminance.shape[1:])
    small = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in luminance]
    return np.stack(small).astype(np.float64)


def _power(values: Array) -> tuple[Array, list[Array]]:
    """Power spectrum about each pixel's mean over time, and its frequencies (t, y, x)."""
    seamless = periodic(faded(values, hann(len(values))[:, None, None]), (1, 2))
    power = np.square(np.abs(fft.fftn(seamless)))
    axes = [fft.fftfreq(length) for length in values.shape]
    return power, list(np.meshgrid(*axes, indexing="ij", sparse=True))
