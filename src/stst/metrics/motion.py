"""Optical flow and its statistics. Flows are (P, 2, H, W), px a frame, right and DOWN."""

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
from stst.metrics.luminance import Array, faded, hann
from stst.models.pretrained import import_package, with_weights
from stst.video.frames import Footage, to_uint8

SPEEDS = (0, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, np.inf)  # px a frame, edges of the histogram
DIRECTIONS = 12


class Estimator(NamedTuple):
    """An optical-flow method."""

    name: str  # as `load_estimator` takes it
    sentence: str  # for Methods
    of: Callable[[Footage], Array]  # -> (T - 1, 2, H, W), px a frame to the right and DOWN


def optical_flow(footage: Footage) -> Array:
    """Where each pixel of a frame goes until the next: (T - 1, 2, H, W), px.

    Dense inverse search (Kroeger et al. 2016), preset MEDIUM, on grey levels of encoded values.
    """
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = (
        cv2.cvtColor(to_uint8(footage.take([index]))[0], cv2.COLOR_RGB2GRAY)
        for index in range(len(footage))
    )
    # None: no flow to begin with, which OpenCV's stubs do not know of.
    flows = [engine.calc(a, b, None) for a, b in pairwise(grey)]  # type: ignore[call-overload]
    return np.stack(flows).transpose(0, 3, 1, 2).astype(np.float64)


def flow_within_shots(
    footage: Footage, estimator: Estimator, cuts: frozenset[int]
) -> tuple[Array, Indices]:
    """Flow (P, 2, H, W) of the pairs of frames that no cut parts, and their first frames (P,)."""
    flow, pairs = estimator.of(footage), kept_pairs(len(footage), cuts)
    return (flow if len(pairs) == len(flow) else flow[pairs]), pairs


def speed(flow: Array) -> Array:
    """Mean speed from each frame to the next: (P,), px a frame."""
    return np.asarray(np.hypot(flow[:, 0], flow[:, 1]).mean((1, 2)))


def speed_histogram(flow: Array) -> tuple[Array, Array]:
    """Lower edges of speed bins (9,), px a frame, and the share of pixels of all frames in each."""
    count, _ = np.histogram(np.hypot(flow[:, 0], flow[:, 1]), SPEEDS)
    return np.array(SPEEDS[:-1]), count / count.sum()


def direction_histogram(flow: Array) -> tuple[Array, Array]:
    """Middles of direction bins (12,), degrees counter-clockwise from the right, and their shares.

    Weighted by speed, since what rests has no direction: 1 together, or 0 where nothing moves.
    """
    width = 360 / DIRECTIONS
    right, down = flow[:, 0].ravel(), flow[:, 1].ravel()
    bins = np.rint(np.degrees(np.arctan2(-down, right)) / width).astype(int) % DIRECTIONS
    moved = np.bincount(bins, np.hypot(right, down), DIRECTIONS)
    return width * np.arange(DIRECTIONS, dtype=np.float64), np.asarray(moved / (moved.sum() or 1))


def direction(flow: Array) -> Array:
    """Mean direction, weighted by speed: (P,), degrees counter-clockwise from the right."""
    right, down = flow.mean((2, 3)).T
    return np.asarray(np.degrees(np.arctan2(-down, right)))


def coherence(flow: Array) -> Array:
    """Length of the mean flow in mean speeds: (P,), 1 where all moves as one, 0 at rest."""
    mean, speeds = np.hypot(*flow.mean((2, 3)).T), speed(flow)
    return np.asarray(np.divide(mean, speeds, out=np.zeros_like(mean), where=speeds > 0))


def end_point_error(flow: Array, natural: Array) -> Array:
    """Mean distance between the ends of two flows, from each frame to the next: (P,), px."""
    return speed(flow - natural)


SIDE = 64  # px of the short side that frames are reduced to, as finer motion costs much
WAVES = (4, 8, 16)  # px per cycle, of the reduced frames
RATES = (0.125, 0.25)  # cycles a frame
ENERGY_DIRECTIONS = 8
_OCTAVE = 0.4  # standard deviation of a band over its centre frequency


def motion_energy(luminance: Array) -> tuple[Array, Array]:
    """Directions (8,), degrees counter-clockwise from the right, and their shares of motion energy.

    The power that quadrature pairs of space-time Gabor filters (Adelson & Bergen 1985) would let
    pass, summed over the clip (T, H, W): by Parseval's theorem the spectrum under Gaussian bands.
    """
    power, (ft, fy, fx) = _power(_reduced(luminance))
    angles = 360 / ENERGY_DIRECTIONS * np.arange(ENERGY_DIRECTIONS, dtype=np.float64)
    energy = np.zeros(ENERGY_DIRECTIONS)
    sided = (np.abs(fy) < 0.5) & (np.abs(fx) < 0.5)  # the Nyquist frequency is of both directions
    for (index, angle), wave, rate in product(enumerate(np.radians(angles)), WAVES, RATES):
        # Motion to the right has frequencies of opposite signs, and so has motion up.
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
    """Power spectrum about each pixel's mean over time, and its frequencies (t, y, x)."""
    seamless = periodic(faded(values, hann(len(values))[:, None, None]), (1, 2))
    power = np.square(np.abs(fft.fftn(seamless)))
    axes = [fft.fftfreq(length) for length in values.shape]
    return power, list(np.meshgrid(*axes, indexing="ij", sparse=True))


DIS = Estimator("dis", "dense inverse search (OpenCV)", optical_flow)
ESTIMATORS = ("dis", "raft")
_SIDE, _STRIDE = 128, 8  # px: RAFT's least side, and what its sides are multiples of


def load_estimator(name: str) -> Estimator:
    """Get an optical-flow method by its name; StreamError where there is none.

    ``'dis'``, or ``'raft'`` (Teed & Deng 2020): torchvision's ``raft_large`` with its default
    weights, which it fetches (WeightsError without torchvision or weights).
    """
    if name not in ESTIMATORS:
        raise StreamError(
            f"there is no optical flow {name!r}.{guess(name, ESTIMATORS)} Choose of "
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
    """Flow (T - 1, 2, H, W) by a network of torchvision's RAFT family, of frames taken one by one.

    It maps two batches in [-1, 1], sides multiples of 8 px, to flows, the last the best.
    """
    height, width = footage.size
    if min(footage.size) < _SIDE:
        raise FramesError(
            f"RAFT needs frames of {_SIDE} px a side at least, got {width}x{height}: take larger "
            "ones, or the flow `dis`."
        )
    beyond = (0, -width % _STRIDE, 0, -height % _STRIDE)
    frames = (
        F.pad(2 * footage.take([index]) - 1, beyond, mode="replicate")
        for index in range(len(footage))
    )
    flows = [network(a, b)[-1][0, :, :height, :width] for a, b in pairwise(frames)]
    return np.asarray(torch.stack(flows).double().numpy())
