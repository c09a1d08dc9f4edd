"""Similarity of the spatial arrangement of two frames.

A metamer must not show where things are in the natural frame. Small blurred maps of both
frames, without slow trends, are correlated: at the same positions (`layout`), and over
shifts, compared with mirror images (`shape`). Used to evaluate finished clips and to choose
starts.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import gaussian_filter

Array = npt.NDArray[np.float64]

SIDE = 64  # short side of the reduced frames, px
BLUR = 0.05  # `layout`: standard deviation of the blur, fraction of the short side
BLURS = (0.03, 0.06)  # `shape`: the same; results are averaged
REACH = 0.35  # `shape`: largest shift, fraction of each side
FLAT = 0.5 / 255  # RMS contrast below which a map holds only rounding and compression noise
CHANCE = (0.4, 0.12)  # standard deviations of layout, shape under random phases
PARTS = {"luminance": slice(0, 1), "colour": slice(1, 3)}  # channels of `maps`


def maps(frame: Array) -> Array:
    """Reduce a frame to maps of luminance and two opponent colours.

    Parameters
    ----------
    frame : ndarray
        Encoded RGB in [0, 1], (3, H, W).

    Returns
    -------
    ndarray
        (R + G + B) / 3, (R - G) / 2 and (2 B - R - G) / 4, (3, h, w); 64 px on the short side,
        or the frame's own size if smaller.

    Examples
    --------
    >>> maps(np.ones((3, 128, 256))).shape
    (3, 64, 128)
    """
    scale = min(1, SIDE / min(frame.shape[1:]))
    height, width = (round(scale * side) for side in frame.shape[1:])
    small = cv2.resize(np.moveaxis(frame, 0, -1), (width, height), interpolation=cv2.INTER_AREA)
    r, g, b = np.moveaxis(np.asarray(small, np.float64), -1, 0)
    return np.stack(((r + g + b) / 3, (r - g) / 2, (2 * b - r - g) / 4))


def layout(made: Array, natural: Array) -> float:
    """Correlate two sets of maps at the same positions.

    Products are summed over channels. Around 0 if the arrangement is lost (on average over
    seeds); exactly 0 if a map is flat, with an RMS contrast below 0.5/255.

    Parameters
    ----------
    made : ndarray
        Maps of the synthesised frame, (C, h, w).
    natural : ndarray
        Maps of the natural frame, (C, h, w).

    Returns
    -------
    float
        Correlation in [-1, 1].

    Examples
    --------
    >>> natural = maps(np.random.default_rng(0).random((3, 64, 64)))
    >>> round(layout(natural, natural), 6)
    1.0
    """
    a, b = (_unit(_blurred(x, BLUR)) for x in (made, natural))
    return float((a * b).sum())


def shape(made: Array, natural: Array) -> float:
    """Correlate two sets of maps over shifts, relative to mirror images.

    The peak correlation over shifts of up to 35 % of each side, minus its mean for three mirror
    images (left-right, up-down, both), which have the same statistics and another arrangement.
    0 means no similarity. Maps fade towards their borders (square root of a Hann window).

    Parameters
    ----------
    made : ndarray
        Maps of the synthesised frame, (C, h, w).
    natural : ndarray
        Maps of the natural frame, (C, h, w).

    Returns
    -------
    float
        Difference of correlations, averaged over two blurs.

    Examples
    --------
    >>> natural = maps(np.random.default_rng(0).random((3, 64, 64)))
    >>> shape(natural, natural) > 0.3
    True
    """
    return float(np.mean([_above_mirrors(*(_faded(x, b) for x in (made, natural))) for b in BLURS]))


def least_alike(frames: Array, natural: Array) -> int:
    """Find the frame whose luminance arrangement is least like the natural one.

    Parameters
    ----------
    frames : ndarray
        Candidates, encoded RGB in [0, 1], (N, 3, H, W).
    natural : ndarray
        Natural frame, (3, H, W).

    Returns
    -------
    int
        Index of the candidate.

    Examples
    --------
    >>> natural = np.random.default_rng(0).random((3, 64, 64))
    >>> least_alike(np.stack((natural, np.ones_like(natural))), natural)
    1
    """
    target = maps(natural)[PARTS["luminance"]]
    return int(np.argmin([likeness(maps(frame)[PARTS["luminance"]], target) for frame in frames]))


def likeness(made: Array, natural: Array) -> float:
    """Combine `layout` and `shape` into one similarity, in units of chance.

    The larger absolute value, each divided by its standard deviation under random phases.
    Absolute, because a contrast-inverted layout and a mirrored shape are unwanted too.

    Parameters
    ----------
    made : ndarray
        Maps of the synthesised frame, (C, h, w).
    natural : ndarray
        Maps of the natural frame, (C, h, w).

    Returns
    -------
    float
        Similarity, 0 or more.

    Examples
    --------
    >>> natural = maps(np.random.default_rng(0).random((3, 64, 64)))
    >>> round(likeness(natural, natural), 6) >= 2.5
    True
    """
    return max(abs(layout(made, natural)) / CHANCE[0], abs(shape(made, natural)) / CHANCE[1])


def _above_mirrors(made: Array, natural: Array) -> float:
    mirrored = (natural, natural[..., ::-1], natural[:, ::-1], natural[:, ::-1, ::-1])
    own, *others = _peaks(made, np.stack(mirrored))
    return float(own - np.mean(others))


def _peaks(made: Array, natural: Array) -> Array:
    """Largest correlation of (C, h, w) with each of (N, C, h, w) over all allowed shifts."""
    height, width = natural.shape[-2:]
    # Zero padding covers the allowed shifts; larger shifts wrap around and are ignored.
    padded = [fft.next_fast_len(side + int(REACH * side), real=True) for side in (height, width)]
    product = fft.rfft2(made, padded) * fft.rfft2(natural, padded).conj()
    correlation = fft.irfft2(product.sum(1), padded)  # summed over channels
    reach = (int(REACH * side) for side in (height, width))
    down, across = (np.arange(-most, most + 1) for most in reach)
    return np.asarray(correlation[:, down[:, None], across].max((-2, -1)))


def _faded(x: Array, blur: float) -> Array:
    """Blurred maps that fade to their borders, with norm 1."""
    window = [np.hanning(side + 2)[1:-1] for side in x.shape[-2:]]
    return _unit(_blurred(x, blur), np.sqrt(np.outer(*window)))


def _unit(x: Array, window: Array | float = 1.0) -> Array:
    """Divide by the norm; flat maps become 0."""
    if np.sqrt(np.square(x).sum(0).mean()) < FLAT:
        return np.zeros_like(x)
    centred = (x - x.mean((-2, -1), keepdims=True)) * window
    return np.asarray(centred / np.sqrt(np.square(centred).sum()))


def _blurred(x: Array, blur: float) -> Array:
    """Blur by a fraction of the short side and remove the best-fitting quadratic trend."""
    sigma = blur * min(x.shape[-2:])
    smooth = gaussian_filter(x, (0, sigma, sigma))
    trends = _trends(*x.shape[-2:])
    flat = smooth.reshape(len(x), -1)
    return np.asarray((flat - (flat @ trends) @ trends.T).reshape(x.shape))


@functools.lru_cache(maxsize=8)
def _trends(height: int, width: int) -> Array:
    """Orthonormal basis of quadratic functions over a map, (h w, 6)."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
    basis, _ = np.linalg.qr(np.stack((np.ones_like(x), x, y, x * x, y * y, x * y), 1))
    return np.asarray(basis)
