"""What finds optical flow: dense inverse search, or RAFT where torchvision is there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError, StreamError, guess
from stst.evaluate.deep.foreign import imported, with_weights
from stst.evaluate.luminance import Array
from stst.evaluate.motion import optical_flow
from stst.video.frames import Footage

_SIDE, _STRIDE = 128, 8  # px: RAFT's least side, and what its sides are multiples of


class Estimator(NamedTuple):
    """What finds optical flow, and how it is told of.

    Parameters
    ----------
    name : str
        As `load_estimator` takes it.
    sentence : str
        For Methods.
    of : callable
        Clip or Film -> (T - 1, 2, H, W), px a frame to the right and DOWN.
    """

    name: str
    sentence: str
    of: Callable[[Footage], Array]


DIS = Estimator("dis", "dense inverse search (OpenCV)", optical_flow)
ESTIMATORS = ("dis", "raft")


def load_estimator(name: str) -> Estimator:
    """Get an estimator of optical flow by its name.

    Parameters
    ----------
    name : str
        ``'dis'``, or ``'raft'`` (Teed & Deng 2020): torchvision's ``raft_large`` with its default
        weights, which it fetches.

    Raises
    ------
    StreamError
        Unknown name.
    WeightsError
        torchvision or the weights are missing.

    Examples
    --------
    >>> load_estimator("dis").sentence
    'dense inverse search (OpenCV)'
    """
    if name not in ESTIMATORS:
        raise StreamError(
            f"there is no optical flow {name!r}.{guess(name, ESTIMATORS)} Choose of "
            f"{', '.join(ESTIMATORS)}."
        )
    return DIS if name == "dis" else _raft()


def _raft() -> Estimator:
    models = imported("torchvision").models
    weights = models.get_model_weights("raft_large").DEFAULT
    network = with_weights("raft_large", lambda: models.get_model("raft_large", weights=weights))
    sentence = f"RAFT (Teed & Deng, 2020; torchvision, weights {weights})"
    return Estimator("raft", sentence, lambda footage: raft_flow(network, footage))


@torch.inference_mode()
def raft_flow(network: Callable[[Tensor, Tensor], list[Tensor]], footage: Footage) -> Array:
    """Flow by a network of torchvision's RAFT family, of frames taken one by one.

    Parameters
    ----------
    network : callable
        Two batches (1, 3, H, W) in [-1, 1], sides multiples of 8 px -> flows, the last the best.
    footage : Clip or Film
        At least 128 px a side.

    Returns
    -------
    ndarray
        (T - 1, 2, H, W), px a frame to the right and DOWN.

    Raises
    ------
    FramesError
        If frames are too small.
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
    found = [network(a, b)[-1][0, :, :height, :width] for a, b in pairwise(frames)]
    return np.asarray(torch.stack(found).double().numpy())
