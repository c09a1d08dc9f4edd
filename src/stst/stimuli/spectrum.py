"""Fourier phases of frames, exchanged: pure functions on arrays in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from stst.video.light import Array


def phase_field(shape: Sequence[int], axes: Sequence[int], seed: Sequence[int]) -> Array:
    """Draw random phases that real values can have: those of real white noise.

    Parameters
    ----------
    shape : sequence of int
        Of the noise; an axis of length 1 that is not in `axes` lends its phases to all that
        they are added to.
    axes : sequence of int
        Along which to transform; of the last one only frequencies from 0 up are kept.
    seed : sequence of int
        The same numbers give the same phases.

    Returns
    -------
    ndarray
        Radians in [-pi, pi], float64, of the shape that ``scipy.fft.rfftn`` gives: opposite
        at opposite frequencies, and 0 or pi where a frequency is its own opposite.

    Examples
    --------
    >>> phase_field((4, 6, 10), (0, 1, 2), (0,)).shape
    (4, 6, 6)
    """
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(np.angle(fft.rfftn(noise, axes=axes)))


def scrambled(frames: Array, axes: Sequence[int], phases: Array, *, replace: bool = False) -> Array:
    """Add phases to those of the Fourier transform, or put them in their place.

    The amplitude of every frequency and the mean along `axes` stay what they were. Values
    may leave the range of `frames`; nothing is clipped. Takes about four times the memory
    of `frames` in float64.

    Parameters
    ----------
    frames : ndarray
        Real values of one channel, float64, (T, H, W) or of any other shape.
    axes : sequence of int
        Along which to transform.
    phases : ndarray
        Radians, of the shape of the half spectrum or of one that broadcasts to it, as
        `phase_field` gives them.
    replace : bool
        In place of the phases, rather than added to them.

    Returns
    -------
    ndarray
        Of the shape of `frames`, float64.

    Examples
    --------
    >>> frames = np.random.default_rng(0).random((4, 6, 10))
    >>> phases = phase_field(frames.shape, (0, 1, 2), (1,))
    >>> made = scrambled(frames, (0, 1, 2), phases)
    >>> bool(np.allclose(np.abs(np.fft.fftn(made)), np.abs(np.fft.fftn(frames))))
    True
    """
    spectrum = fft.rfftn(frames, axes=axes)
    constant = tuple(0 if axis in axes else slice(None) for axis in range(frames.ndim))
    level = spectrum[constant].copy()
    turned = np.exp(1j * phases) * (np.abs(spectrum) if replace else spectrum)
    turned[constant] = level  # else half of all seeds would turn the mean negative
    lengths = [frames.shape[axis] for axis in axes]  # of the last, odd or even is lost
    return np.asarray(fft.irfftn(turned, lengths, axes, overwrite_x=True))


def tapered(frames: Array, axes: Sequence[int], share: float) -> Array:
    """Fade values to their mean along some axes, at both ends of these, by Tukey windows.

    The Fourier transform takes the last value of an axis to be the neighbour of the first.
    Where they differ there is an edge that nobody sees, with amplitudes at all frequencies
    along that axis; values that fade to their mean have none. They are also nearer to it, so
    that there is less contrast in all.

    Parameters
    ----------
    frames : ndarray
        Real values, float64.
    axes : sequence of int
        Which; the mean along them stays what it was.
    share : float
        How much of each is faded, in [0, 1], half of it at either end: 0 is nothing, 1 is a
        Hann window.

    Returns
    -------
    ndarray
        Of the shape of `frames`, float64; `frames` itself where nothing is faded.

    Examples
    --------
    >>> tapered(np.array([0.0, 0, 1, 1]), (0,), 1).round(2).tolist()
    [0.43, 0.07, 0.93, 0.57]
    """
    if not share:
        return frames
    weights = np.ones([1] * frames.ndim)
    for axis in axes:
        others = [a for a in range(frames.ndim) if a != axis]
        weights = weights * np.expand_dims(_tukey(frames.shape[axis], share), others)
    along = tuple(axes)
    # About the mean that the windows see; about the plain one they would shift it.
    seen = (weights * frames).sum(along, keepdims=True) / weights.sum()
    return np.asarray(frames.mean(along, keepdims=True) + weights * (frames - seen))


def _tukey(length: int, share: float) -> Array:
    """Weights at the middles of `length` samples, so that none is 0 and lost."""
    place = (np.arange(length) + 0.5) / length
    inwards = np.minimum(place, 1 - place) / (share / 2)
    return np.asarray(np.sin(np.pi / 2 * inwards.clip(max=1)) ** 2)
