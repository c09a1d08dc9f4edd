"""Late features of a network that no stream is made of: EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from stst.evaluate.deep.efficientnet import efficientnet
from stst.evaluate.deep.network import Network, looked_into
from stst.stimuli.light import Array
from stst.video.frames import Footage

Features = Callable[[Footage], Array]  # (T, N), of each frame

_LAST = "_avg_pooling"  # of what the last convolution puts out


def late_features() -> Features:
    """Load EfficientNet-Lite0 (`stst.evaluate.deep.efficientnet`) for its last features.

    Returns
    -------
    callable
        Footage -> (T, 1280): the last convolution's activations of each frame, averaged over
        places.

    Raises
    ------
    WeightsError
        If the extra ``models`` is not installed, or its weights are not those that were tested.
    """
    network = replace(efficientnet(), layers=[_LAST], classifies=False)

    def features(footage: Footage) -> Array:
        return np.stack([_last(network, footage, index) for index in range(len(footage))])

    return features


def _last(network: Network, footage: Footage, index: int) -> Array:
    found, _ = looked_into(network, footage.take([index]))
    return found[_LAST].double().flatten().numpy()


def similarity(natural: Array, made: Array) -> float:
    """Pearson correlation of the features of each frame, (T, N) each; mean of frames.

    Examples
    --------
    >>> features = np.random.default_rng(0).random((2, 50))
    >>> round(similarity(features, 3 * features + 1), 6)
    1.0
    """
    one, other = (each - each.mean(1, keepdims=True) for each in (natural, made))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(1) / np.maximum(norms, 1e-12)).mean())
