"""How much of the arrangement of a natural frame is left in another frame.

A metamer must lose where what stands in the natural frame. Small blurred maps of both frames,
without slow trends, are correlated: at their own place (`layout`), and at any place against
mirror images (`shape`). For measures of finished films and the choice of starts.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import gaussian_filter

Array = npt.NDArray[np.float64]

SIDE = 64  # px of the short side that frames are reduced to
BLUR = 0.05  # of the short side, standard deviation of the maps of `layout`
BLURS = (0.03, 0.06)  # the same of `shape`, whose mean over both is taken
REACH = 0.35  # of each side: shifts of `shape` up to here
FLAT = 0.5 / 255  # RMS contrast: maps below it hold rounding and compression, no arrangement
CHANCE = (0.4, 0.12)  # deviation of layout and shape over random phases (docs/evaluation.md)
PARTS = {"luminance": slice(0, 1), "colour": slice(1, 3)}  # channels of `maps`


def maps(frame: Array) -> Array:
    """Luminance and two opponent colours of a frame, 64 px on the short side.

    (3, H, W), RGB in [0, 1] as encoded -> (3, h, w): mean of R, G and B; (R - G) / 2;
    (2 B - R - G) / 4. Smaller frames are not enlarged.
    """
    scale = min(1, SIDE / min(frame.shape[1:]))
    height, width = (round(scale * side) for side in frame.shape[1:])
    small = cv2.resize(np.moveaxis(frame, 0, -1), (width, height), interpolation=cv2.INTER_AREA)
    r, g, b = np.moveaxis(np.asarray(small, np.float64), -1, 0)
    return np.stack(((r + g + b) / 3, (r - g) / 2, (2 * b - r - g) / 4))


def layout(made: Array, natural: Array) -> float:
    """Correlation of two maps (C, h, w) at the same places, in -1 to 1.

    0 where places are forgotten, on average over seeds, and where a map is flat, that is, has less
    RMS contrast than half of 1/255. Products of several channels are added up.
    """
    a, b = (_unit(_blurred(x, BLUR)) for x in (made, natural))
    return float((a * b).sum())


def shape(made: Array, natural: Array) -> float:
    """Peak of the correlation over shifts, less its mean for three mirror images.

    Maps as for `layout`. Mirror images (left-right, up-down, both) have all the statistics of a
    natural frame and another arrangement: they are the floor, and 0 is what has no likeness at all.
    Shifts are up to 35 % of each side; maps fade to their borders (Hann window, square root).
    """
    return float(np.mean([_above_mirrors(*(_faded(x, b) for x in (made, natural))) for b in BLURS]))


def least_alike(frames: Array, natural: Array) -> int:
    """Which of frames (N, 3, H, W) has the luminance that is arranged least like another's."""
    wanted = maps(natural)[PARTS["luminance"]]
    return int(np.argmin([likeness(maps(frame)[PARTS["luminance"]], wanted) for frame in frames]))


def likeness(made: Array, natural: Array) -> float:
    """Greater of the sizes of `layout` and `shape`, each in what chance often gives.

    Sizes: of a layout and its negative, of a shape and its mirror image, neither is wanted.
    """
    return max(abs(layout(made, natural)) / CHANCE[0], abs(shape(made, natural)) / CHANCE[1])


def _above_mirrors(made: Array, natural: Array) -> float:
    mirrored = (natural, natural[..., ::-1], natural[:, ::-1], natural[:, ::-1, ::-1])
    own, *others = _peaks(made, np.stack(mirrored))
    return float(own - np.mean(others))


def _peaks(made: Array, natural: Array) -> Array:
    """Largest correlation of (C, h, w) with each of (N, C, h, w), over all shifts in reach."""
    height, width = natural.shape[-2:]
    # Zeros as far as shifts reach: what is further wraps around and is not looked at.
    padded = [fft.next_fast_len(side + int(REACH * side), real=True) for side in (height, width)]
    product = fft.rfft2(made, padded) * fft.rfft2(natural, padded).conj()
    correlation = fft.irfft2(product.sum(1), padded)  # channels add up
    reach = (int(REACH * side) for side in (height, width))
    down, across = (np.arange(-most, most + 1) for most in reach)
    return np.asarray(correlation[:, down[:, None], across].max((-2, -1)))


def _faded(x: Array, blur: float) -> Array:
    """Blurred maps that fade to their borders, of norm 1."""
    window = [np.hanning(side + 2)[1:-1] for side in x.shape[-2:]]
    return _unit(_blurred(x, blur), np.sqrt(np.outer(*window)))


def _unit(x: Array, window: Array | float = 1.0) -> Array:
    """Divide by the norm; what is flat becomes 0."""
    if np.sqrt(np.square(x).sum(0).mean()) < FLAT:
        return np.zeros_like(x)
    centred = (x - x.mean((-2, -1), keepdims=True)) * window
    return np.asarray(centred / np.sqrt(np.square(centred).sum()))


def _blurred(x: Array, blur: float) -> Array:
    """Blur by a share of the short side, and take the best parabola, which is no object, away."""
    sigma = blur * min(x.shape[-2:])
    smooth = gaussian_filter(x, (0, sigma, sigma))
    trends = _trends(*x.shape[-2:])
    flat = smooth.reshape(len(x), -1)
    return np.asarray((flat - (flat @ trends) @ trends.T).reshape(x.shape))


@functools.lru_cache(maxsize=8)
def _trends(height: int, width: int) -> Array:
    """Orthonormal basis of the parabolas over a map, (h w, 6)."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
    basis, _ = np.linalg.qr(np.stack((np.ones_like(x), x, y, x * x, y * y, x * y), 1))
    return np.asarray(basis)
