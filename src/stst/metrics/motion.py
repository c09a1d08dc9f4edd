"""Optical flow and its statistics.

Flow has shape (P, 2, H, W), for P pairs of frames, in px/frame to the right and DOWN.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy import fft
from torch import Tensor

from stst.errors import FramesError, StreamError, guess
from stst.losses.functional import periodic
from stst.metrics.clips import Indices, kept_pairs
from stst.metrics.luminance import Array
from stst.metrics.spectra import faded, hann
from stst.models.pretrained import import_package, with_weights
from stst.video.frames import Footage, to_uint8

SPEEDS = (0, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, np.inf)  # px/frame, edges of the histogram
DIRECTIONS = 12


class Estimator(NamedTuple):
    """Define an optical-flow method.

    Parameters
    ----------
    name : str
        Name, as `load_estimator` takes it.
    sentence : str
        Description for the Methods section of a paper.
    of : callable
        Function from a clip to flow of shape (T - 1, 2, H, W), px/frame to the right and DOWN.

    Examples
    --------
    >>> load_estimator("dis").sentence
    'dense inverse search (OpenCV)'
    """

    name: str
    sentence: str
    of: Callable[[Footage], Array]


def optical_flow(footage: Footage) -> Array:
    """Compute the optical flow of a clip by dense inverse search.

    Parameters
    ----------
    footage : Clip or Film
        Clip of T >= 2 frames.

    Returns
    -------
    ndarray
        Displacement of each pixel from one frame to the next, px, shape (T - 1, 2, H, W).

    Notes
    -----
    The method is that of Kroeger et al. (2016) as OpenCV implements it, preset MEDIUM, on grey
    levels of encoded values.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=4, height=64, width=64, speed=2).clip
    >>> optical_flow(clip).shape
    (3, 2, 64, 64)
    """
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = (
        cv2.cvtColor(to_uint8(footage.take([index]))[0], cv2.COLOR_RGB2GRAY)
        for index in range(len(footage))
    )
    # None means no initial flow; OpenCV's stubs do not allow it.
    flows = [engine.calc(a, b, None) for a, b in pairwise(grey)]  # type: ignore[call-overload]
    return np.stack(flows).transpose(0, 3, 1, 2).astype(np.float64)


def flow_within_shots(
    footage: Footage, estimator: Estimator, cuts: frozenset[int]
) -> tuple[Array, Indices]:
    """Compute optical flow without the pairs of frames that a cut separates.

    Parameters
    ----------
    footage : Clip or Film
        Clip of T frames.
    estimator : Estimator
        Optical-flow method.
    cuts : frozenset of int
        Indices of the first frame of each shot but the first; see `find_cuts`.

    Returns
    -------
    flow : ndarray
        Flow of the remaining pairs, px/frame, shape (P, 2, H, W).
    pairs : ndarray of int
        Index of the first frame of each pair, shape (P,).

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=4, height=64, width=64, speed=2).clip
    >>> flow, pairs = flow_within_shots(clip, DIS, cuts=frozenset({2}))
    >>> pairs.tolist()
    [0, 2]
    """
    flow, pairs = estimator.of(footage), kept_pairs(len(footage), cuts)
    return (flow if len(pairs) == len(flow) else flow[pairs]), pairs


def speed(flow: Array) -> Array:
    """Compute the mean speed of each pair of frames.

    Parameters
    ----------
    flow : ndarray
        Optical flow, px/frame, shape (P, 2, H, W).

    Returns
    -------
    ndarray
        Mean speed, px/frame, shape (P,).

    Examples
    --------
    >>> flow = np.zeros((1, 2, 4, 4))
    >>> flow[:, 0], flow[:, 1] = 3, 4
    >>> speed(flow).tolist()
    [5.0]
    """
    return np.asarray(np.hypot(flow[:, 0], flow[:, 1]).mean((1, 2)))


def speed_histogram(flow: Array) -> tuple[Array, Array]:
    """Compute the distribution of speeds over all pixels of all frames.

    Parameters
    ----------
    flow : ndarray
        Optical flow, px/frame, shape (P, 2, H, W).

    Returns
    -------
    edge : ndarray
        Lower edge of each bin, px/frame, shape (9,).
    share : ndarray
        Share of pixels in each bin, shape (9,); the shares sum to 1.

    Examples
    --------
    >>> edge, share = speed_histogram(np.ones((1, 2, 4, 4)))
    >>> float(edge[share.argmax()])
    1.0
    """
    count, _ = np.histogram(np.hypot(flow[:, 0], flow[:, 1]), SPEEDS)
    return np.array(SPEEDS[:-1]), count / count.sum()


def direction_histogram(flow: Array) -> tuple[Array, Array]:
    """Compute the distribution of motion directions, weighted by speed.

    Parameters
    ----------
    flow : ndarray
        Optical flow, px/frame, shape (P, 2, H, W).

    Returns
    -------
    direction : ndarray
        Centre of each bin, degrees counter-clockwise from rightward, shape (12,).
    share : ndarray
        Share of motion in each bin, shape (12,). The shares sum to 1, or to 0 if nothing moves.

    Examples
    --------
    >>> flow = np.zeros((1, 2, 4, 4))
    >>> flow[:, 1] = -1  # upwards
    >>> direction, share = direction_histogram(flow)
    >>> float(direction[share.argmax()])
    90.0
    """
    width = 360 / DIRECTIONS
    right, down = flow[:, 0].ravel(), flow[:, 1].ravel()
    bins = np.rint(np.degrees(np.arctan2(-down, right)) / width).astype(int) % DIRECTIONS
    moved = np.bincount(bins, np.hypot(right, down), DIRECTIONS)
    return width * np.arange(DIRECTIONS, dtype=np.float64), np.asarray(moved / (moved.sum() or 1))


def direction(flow: Array) -> Array:
    """Compute the mean direction of motion, weighted by speed.

    Parameters
    ----------
    flow : ndarray
        Optical flow, px/frame, shape (P, 2, H, W).

    Returns
    -------
    ndarray
        Direction, degrees counter-clockwise from rightward, -180 to 180, shape (P,).

    Examples
    --------
    >>> flow = np.zeros((1, 2, 4, 4))
    >>> flow[:, 1] = -1  # upwards
    >>> direction(flow).tolist()
    [90.0]
    """
    right, down = flow.mean((2, 3)).T
    return np.asarray(np.degrees(np.arctan2(-down, right)))


def coherence(flow: Array) -> Array:
    """Compute the coherence of motion.

    Parameters
    ----------
    flow : ndarray
        Optical flow, px/frame, shape (P, 2, H, W).

    Returns
    -------
    ndarray
        Length of the mean flow divided by mean speed, shape (P,): 1 if all pixels move alike, 0 if
        motion cancels or nothing moves.

    Examples
    --------
    >>> coherence(np.ones((1, 2, 4, 4))).round(6).tolist()
    [1.0]
    """
    mean, speeds = np.hypot(*flow.mean((2, 3)).T), speed(flow)
    return np.asarray(np.divide(mean, speeds, out=np.zeros_like(mean), where=speeds > 0))


def end_point_error(flow: Array, natural: Array) -> Array:
    """Compute the mean end-point error between two flows.

    Parameters
    ----------
    flow, natural : ndarray
        Optical flow of both clips, px/frame, shape (P, 2, H, W).

    Returns
    -------
    ndarray
        Mean distance between the flow vectors, px, shape (P,).

    Examples
    --------
    >>> natural = np.zeros((1, 2, 4, 4))
    >>> natural[:, 0] = 2  # to the right
    >>> end_point_error(np.zeros_like(natural), natural).tolist()
    [2.0]
    """
    return speed(flow - natural)


SIDE = 64  # px: short side of the reduced frames, to limit the cost
WAVES = (4, 8, 16)  # px/cycle in the reduced frames
RATES = (0.125, 0.25)  # cycles/frame
ENERGY_DIRECTIONS = 8
_OCTAVE = 0.4  # standard deviation of a band / its centre frequency


def motion_energy(luminance: Array) -> tuple[Array, Array]:
    """Compute the share of motion energy in each direction.

    Parameters
    ----------
    luminance : ndarray
        Luminance, shape (T, H, W), 0 (black) to 1 (white).

    Returns
    -------
    direction : ndarray
        Direction, degrees counter-clockwise from rightward, shape (8,).
    share : ndarray
        Share of motion energy, shape (8,). The shares sum to 1, or to 0 if nothing changes.

    Notes
    -----
    The energy is the power that quadrature pairs of space-time Gabor filters (Adelson & Bergen
    1985) pass, summed over the clip. By Parseval's theorem it is computed as the power spectrum
    under Gaussian bands. Frames are first reduced to 64 px on the short side.

    Examples
    --------
    >>> time, x = np.mgrid[:16, :32]
    >>> right = np.sin(2 * np.pi * (x / 8 - time / 8))[:, None] * np.ones((16, 32, 32))
    >>> direction, share = motion_energy(right)
    >>> float(direction[share.argmax()])
    0.0
    """
    power, (ft, fy, fx) = _power(_reduced(luminance))
    angles = 360 / ENERGY_DIRECTIONS * np.arange(ENERGY_DIRECTIONS, dtype=np.float64)
    energy = np.zeros(ENERGY_DIRECTIONS)
    sided = (np.abs(fy) < 0.5) & (np.abs(fx) < 0.5)  # the Nyquist frequency has no direction
    for (index, angle), wave, rate in product(enumerate(np.radians(angles)), WAVES, RATES):
        # Motion to the right, and motion up, have frequencies of opposite signs.
        space = (fx - np.cos(angle) / wave) ** 2 + (fy + np.sin(angle) / wave) ** 2
        band = np.exp(-space / (2 * (_OCTAVE / wave) ** 2)) * sided
        band = band * np.exp(-((ft + rate) ** 2) / (2 * (_OCTAVE * rate) ** 2))
        energy[index] += (power * band).sum() / band.sum()
    return angles, np.asarray(energy / (energy.sum() or 1))


def _reduced(luminance: Array) -> Array:
    scale = min(1, SIDE / min(luminance.shape[1:]))
    height, width = (round(scale * side) for side in luminance.shape[1:])
    small = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in luminance]
    return np.stack(small).astype(np.float64)


def _power(values: Array) -> tuple[Array, list[Array]]:
    """Return the power spectrum about each pixel's mean over time, and frequencies (t, y, x)."""
    seamless = periodic(faded(values, hann(len(values))[:, None, None]), (1, 2))
    power = np.square(np.abs(fft.fftn(seamless)))
    axes = [fft.fftfreq(length) for length in values.shape]
    return power, list(np.meshgrid(*axes, indexing="ij", sparse=True))


DIS = Estimator("dis", "dense inverse search (OpenCV)", optical_flow)
ESTIMATORS = ("dis", "raft")
_SIDE, _STRIDE = 128, 8  # px: RAFT's minimum side, and the multiple its sides must be


def load_estimator(name: str) -> Estimator:
    """Load an optical-flow method.

    Parameters
    ----------
    name : {'dis', 'raft'}
        Method. ``'dis'`` is dense inverse search (OpenCV). ``'raft'`` (Teed & Deng 2020) is
        torchvision's ``raft_large`` with its default weights, which torchvision downloads.

    Returns
    -------
    Estimator
        The method.

    Raises
    ------
    StreamError
        If the name is unknown.
    WeightsError
        If torchvision or the weights of RAFT are missing.

    Examples
    --------
    >>> load_estimator("dis").name
    'dis'
    """
    if name not in ESTIMATORS:
        raise StreamError(
            f"unknown optical-flow method {name!r}.{guess(name, ESTIMATORS)} Choose one of: "
            f"{', '.join(ESTIMATORS)}."
        )
    if name == "dis":
        return DIS
    models = import_package("torchvision").models
    weights = models.get_model_weights("raft_large").DEFAULT
    network = with_weights("raft_large", lambda: models.get_model("raft_large", weights=weights))
    sentence = f"RAFT (Teed & Deng, 2020; torchvision, weights {weights})"
    return Estimator("raft", sentence, lambda footage: raft_flow(network, footage))


@torch.inference_mode()
def raft_flow(network: Callable[[Tensor, Tensor], list[Tensor]], footage: Footage) -> Array:
    """Compute the optical flow of a clip with a RAFT network of torchvision.

    Parameters
    ----------
    network : callable
        Network that maps two batches of frames, values -1 to 1, to a list of flows, best last.
    footage : Clip or Film
        Clip of T >= 2 frames, at least 128 px on each side.

    Returns
    -------
    ndarray
        Displacement of each pixel from one frame to the next, px, shape (T - 1, 2, H, W).

    Raises
    ------
    FramesError
        If frames are smaller than 128 px.

    Notes
    -----
    Frames are read one by one and padded to multiples of 8 px.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> def still(a, b):  # stands in for torchvision's raft_large
    ...     return [torch.zeros(1, 2, *a.shape[2:])]
    >>> clip = make_stimulus("dead-leaves", frames=3, height=128, width=130).clip
    >>> raft_flow(still, clip).shape
    (2, 2, 128, 130)
    """
    height, width = footage.size
    if min(footage.size) < _SIDE:
        raise FramesError(
            f"RAFT needs frames of at least {_SIDE} px on each side, got {width}x{height}. Use "
            "larger frames or the method 'dis'."
        )
    beyond = (0, -width % _STRIDE, 0, -height % _STRIDE)
    frames = (
        F.pad(2 * footage.take([index]) - 1, beyond, mode="replicate")
        for index in range(len(footage))
    )
    flows = [network(a, b)[-1][0, :, :height, :width] for a, b in pairwise(frames)]
    return np.asarray(torch.stack(flows).double().numpy())
