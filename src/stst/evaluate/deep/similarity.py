"""How alike two clips are to a layer, from inner products of its activations alone.

With A (T, N) the activations of a layer, a row for each frame, all that is kept is A A' and the
sums of the rows: T x T numbers, however many units N the layer has.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

LEAST = 4  # frames: fewer have too few pairs to tell how these are arranged
_ROUNDING = 1e-10  # of the power of the activations: variance below it is none

Array = npt.NDArray[np.float64]


class Moments(NamedTuple):
    """What is kept of the activations of a layer: ``gram`` (T, T), ``sums`` (T,), ``units`` N."""

    gram: Array
    sums: Array
    units: int

    @property
    def centred(self) -> Array:
        """Inner products with the mean over units taken off each frame, (T, T)."""
        return np.asarray(self.gram - np.outer(self.sums, self.sums) / self.units)


def moments(activations: Array) -> Moments:
    """Moments of activations that fit into memory, (T, N).

    Examples
    --------
    >>> moments(np.array([[1.0, 2.0], [0.0, 1.0]])).gram.tolist()
    [[5.0, 2.0], [2.0, 1.0]]
    """
    return Moments(activations @ activations.T, activations.sum(1), activations.shape[1])


def cosine(one: Moments, other: Moments, cross: Array) -> Array:
    """Cosine of the angle between the activations of each frame: (T,).

    Parameters
    ----------
    one, other : Moments
        Of the two clips.
    cross : ndarray
        (T,), inner products of the activations of each frame.

    Returns
    -------
    ndarray
        (T,), NaN where a clip has no activation.
    """
    return _over(cross, one.gram.diagonal(), other.gram.diagonal())


def pearson(one: Moments, other: Moments, cross: Array) -> Array:
    """Pearson correlation over units of the activations of each frame: (T,).

    As `cosine`; NaN where the activations of a frame are all the same.
    """
    covariance = cross - one.sums * other.sums / one.units
    return _over(covariance, _spread(one), _spread(other))


def cka(one: Moments, other: Moments) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019) over the frames of two clips.

    1 where the frames are arranged alike, whatever rotation or scale lies between; NaN below 4
    frames, or where a clip's frames are all the same. Not corrected for few frames, which
    raise it: floor and ceiling have the same number.
    """
    centred = [_frames_centred(each) for each in (one, other)]
    powers = [float(np.square(each).sum()) for each in centred]
    if len(one.gram) < LEAST or not all(powers):
        return math.nan
    return float((centred[0] * centred[1]).sum() / math.sqrt(powers[0] * powers[1]))


def rsa(one: Moments, other: Moments) -> float:
    """Representational similarity analysis (Kriegeskorte et al. 2008) over frames of two clips.

    Spearman correlation of the two matrices of distances between frames; the distance is 1 -
    Pearson correlation over units. NaN below 4 frames, or where all distances are the same.
    """
    upper = np.triu_indices(len(one.gram), 1)
    distances = [_distances(each)[upper] for each in (one, other)]
    flat = any(np.ptp(each) <= _ROUNDING or not np.isfinite(each).all() for each in distances)
    if len(one.gram) < LEAST or flat:
        return math.nan
    return float(np.corrcoef([rankdata(each) for each in distances])[0, 1])


def _distances(one: Moments) -> Array:
    spread = _spread(one)
    return 1 - _over(one.centred, spread[:, None], spread[None])


def _frames_centred(one: Moments) -> Array:
    """H K H, 0 where the frames are all the same."""
    off = np.eye(len(one.gram)) - 1 / len(one.gram)
    centred = off @ one.gram @ off
    same = np.trace(centred) <= _ROUNDING * np.trace(one.gram)
    return np.zeros_like(centred) if same else np.asarray(centred)


def _spread(one: Moments) -> Array:
    """Sum of squares about the mean over units of each frame, (T,); 0 where it is rounding."""
    spread = one.centred.diagonal()
    return np.where(spread <= _ROUNDING * one.gram.diagonal(), 0, spread)


def _over(products: Array, one: Array, other: Array) -> Array:
    """Divide by the lengths of both; NaN where one has none."""
    lengths = np.sqrt(one * other)
    empty = np.full_like(products, math.nan)
    return np.divide(products, lengths, out=empty, where=lengths > 0)
