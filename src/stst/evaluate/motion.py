"""Optical flow and its statistics. Flows are (T - 1, 2, H, W), px a frame, right and DOWN."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from stst.evaluate.luminance import Array
from stst.video.frames import Footage, to_uint8

SPEEDS = (0, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, np.inf)  # px a frame, edges of the histogram
DIRECTIONS = 12


def optical_flow(footage: Footage) -> Array:
    """Where each pixel of a frame goes until the next.

    Dense inverse search (Kroeger et al. 2016) as in OpenCV, preset MEDIUM, on grey levels of
    encoded values. It is no part of what a metamer is matched in.

    Parameters
    ----------
    footage : Clip or Film
        At least 16 px a side; taken frame by frame.

    Returns
    -------
    ndarray
        (T - 1, 2, H, W), px a frame to the right and DOWN.
    """
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = (
        cv2.cvtColor(to_uint8(footage.take([index]))[0], cv2.COLOR_RGB2GRAY)
        for index in range(len(footage))
    )
    # None: no flow to begin with, which OpenCV's stubs do not know of.
    found = [engine.calc(a, b, None) for a, b in pairwise(grey)]  # type: ignore[call-overload]
    return np.stack(found).transpose(0, 3, 1, 2).astype(np.float64)


def speed(flow: Array) -> Array:
    """Mean speed from each frame to the next: (T - 1,), px a frame."""
    return np.asarray(np.hypot(flow[:, 0], flow[:, 1]).mean((1, 2)))


def speed_histogram(flow: Array) -> tuple[Array, Array]:
    """Share of pixels at each speed, all frames together.

    Returns
    -------
    speed : ndarray
        (9,), px a frame: the lower edges of the bins, octaves from 1/8 to 16 and beyond.
    share : ndarray
        (9,), together 1.
    """
    count, _ = np.histogram(np.hypot(flow[:, 0], flow[:, 1]), SPEEDS)
    return np.array(SPEEDS[:-1]), count / count.sum()


def direction_histogram(flow: Array) -> tuple[Array, Array]:
    """Share of the motion in each direction, all frames together.

    Returns
    -------
    direction : ndarray
        (12,), degrees counter-clockwise from the right, the middles of the bins.
    share : ndarray
        (12,), weighted by speed, since what rests has no direction; together 1, or all 0
        where nothing moves.
    """
    width = 360 / DIRECTIONS
    right, down = flow[:, 0].ravel(), flow[:, 1].ravel()
    bins = np.rint(np.degrees(np.arctan2(-down, right)) / width).astype(int) % DIRECTIONS
    moved = np.bincount(bins, np.hypot(right, down), DIRECTIONS)
    middles = width * np.arange(DIRECTIONS, dtype=np.float64)
    return middles, np.asarray(moved / (moved.sum() or 1))


def direction(flow: Array) -> Array:
    """Circular mean of the direction, weighted by speed: (T - 1,), degrees in (-180, 180].

    Counter-clockwise from the right.

    Examples
    --------
    >>> up = np.array([0.0, -2.0]).reshape(1, 2, 1, 1)
    >>> direction(up).tolist()
    [90.0]
    """
    right, down = flow.mean((2, 3)).T
    return np.asarray(np.degrees(np.arctan2(-down, right)))


def coherence(flow: Array) -> Array:
    """Length of the mean flow in mean speeds: (T - 1,), 1 where all moves as one, else less.

    The resultant length of circular statistics, weighted by speed; 0 where nothing moves.
    """
    mean = np.hypot(*flow.mean((2, 3)).T)
    speeds = speed(flow)
    return np.asarray(np.divide(mean, speeds, out=np.zeros_like(mean), where=speeds > 0))


def mean_field(flow: Array) -> Array:
    """Mean flow at each pixel: (2, H, W), px a frame."""
    return np.asarray(flow.mean(0))


def end_point_error(flow: Array, natural: Array) -> Array:
    """Mean distance between the ends of two flows, from each frame to the next: (T - 1,), px.

    Examples
    --------
    >>> still, moving = np.zeros((1, 2, 4, 4)), np.full((1, 2, 4, 4), 3.0)
    >>> moving[:, 1] = 4
    >>> end_point_error(still, moving).tolist()
    [5.0]
    """
    return speed(flow - natural)
