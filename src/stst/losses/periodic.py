"""Edges of frames, which the Fourier transform takes to be neighbours, made so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft

Array = npt.NDArray[np.float64]


def periodic(values: Array, axes: Sequence[int]) -> Array:
    """Take away the jumps between opposite edges, with the smooth field that has only these.

    The periodic component of Moisan (2011, J. Math. Imaging Vis. 39, 161), along some axes.

    Examples
    --------
    >>> periodic(np.array([1.0, 3, 2, 1]), (0,)).round(6).tolist()  # there is no jump
    [1.0, 3.0, 2.0, 1.0]
    >>> periodic(np.array([0.0, 1, 2, 3]), (0,)).round(3).tolist()
    [1.125, 1.375, 1.625, 1.875]
    """
    jumps, curvature = np.zeros_like(values), np.zeros([1] * values.ndim)
    for axis in axes:
        ends = np.moveaxis(jumps, axis, 0)
        jump = np.take(values, -1, axis) - np.take(values, 0, axis)
        ends[0] += jump
        ends[-1] -= jump
        bend = 2 * np.cos(2 * np.pi * fft.fftfreq(values.shape[axis])) - 2
        others = [other for other in range(values.ndim) if other != axis]
        curvature = curvature + np.expand_dims(bend, others)
    constant = tuple(0 if axis in axes else slice(None) for axis in range(values.ndim))
    curvature[tuple(0 for _ in constant)] = 1  # its mean is 0
    smooth = fft.fftn(jumps, axes=axes) / curvature
    smooth[constant] = 0
    return np.asarray(values - fft.ifftn(smooth, axes=axes).real)
