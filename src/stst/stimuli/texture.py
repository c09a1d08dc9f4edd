"""Random textures with the statistics of natural pictures, from a generator."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]  # float32


def pink_noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    slope: float = 1.0,
    stretch: int = 1,
) -> Array:
    """Draw Gaussian noise whose amplitude falls as 1 / frequency ** slope.

    Natural photographs have a slope near 1 (Field 1987, J. Opt. Soc. Am. A 4, 2379).

    Parameters
    ----------
    shape : tuple of int
        Height and width in px; the noise is periodic in both.
    rng : numpy.random.Generator
        Where the phases come from.
    slope : float
        Steeper is smoother; 0 is white.
    stretch : int
        How many times longer than high the features are, as ground seen at a slant.

    Returns
    -------
    ndarray
        Of that shape, float32, mean 0, standard deviation 1.

    Examples
    --------
    >>> noise = pink_noise((32, 48), np.random.default_rng(0))
    >>> noise.shape, round(float(noise.std()), 3)
    ((32, 48), 1.0)
    """
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    vertical = np.fft.fftfreq(shape[0])[:, None]
    horizontal = np.fft.rfftfreq(shape[1])[None, :]
    frequency = np.hypot(vertical, horizontal * stretch)
    frequency[0, 0] = np.inf  # no constant part: the mean is 0
    noise = np.fft.irfft2(spectrum * frequency**-slope, s=shape)
    return np.asarray(noise / noise.std(), np.float32)


def pebbles(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> Array:
    """Pack round bumps closely: 1 at the top of each, 0 or less between them.

    Parameters
    ----------
    shape : tuple of int
        Height and width in px.
    spacing : float
        Mean distance of neighbours in px, at least 2.
    rng : numpy.random.Generator
        Where the positions come from: a square grid, each point moved at random.

    Returns
    -------
    ndarray
        Of that shape, float32, at most 1.
    """
    sides = (np.arange(0, side + spacing, spacing) for side in shape)
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2)
    tops = (grid + rng.uniform(-0.4, 0.4, grid.shape) * spacing).astype(int)
    rows, columns = np.clip(tops, 0, np.array(shape) - 1).T
    elsewhere = np.ones(shape, np.uint8)
    elsewhere[rows, columns] = 0
    distance = np.asarray(cv2.distanceTransform(elsewhere, cv2.DIST_L2, 5), np.float32)
    return 1 - (distance / (0.7 * spacing)) ** 2


def folds(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> Array:
    """Wind ridges as those of a brain coral, about `spacing` px apart: float32, 0 to 1."""
    white = rng.standard_normal(shape).astype(np.float32)
    fine = cv2.GaussianBlur(white, (0, 0), spacing / 4)
    band = fine - cv2.GaussianBlur(white, (0, 0), spacing / 2)
    depth: Array = (np.abs(band) / (1.5 * band.std())).clip(0, 1)
    return 1 - depth


def blend(below: Array, above: Array, cover: Array) -> Array:
    """Lay `above` over `below`, (H, W, 3) or (3,), where `cover`, (H, W), is 1."""
    mixed: Array = below + cover[..., None] * (above - below)
    return mixed
