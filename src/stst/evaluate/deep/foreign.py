"""Networks of torchvision and timm, which are imported when one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stst.errors import StreamError, WeightsError
from stst.evaluate.deep.network import Network

TIMM = "timm:"


@dataclass(frozen=True)
class Form:
    """How a network of torchvision's is looked into."""

    layers: Sequence[str]
    window: int = 1
    stride: int = 1
    channels_last: bool = False


def _numbered(pattern: str, count: int) -> list[str]:
    return [pattern.format(index) for index in range(count)]


_RESNET = [f"layer{s}.{i}" for s, count in enumerate((3, 4, 6, 3), 1) for i in range(count)]
_WINDOW, _STRIDE = 16, 2  # frames; our choice where the network leaves one


def _video(layers: Sequence[str], *, channels_last: bool = False) -> Form:
    return Form(layers, _WINDOW, _STRIDE, channels_last)


TORCHVISION = {
    "resnet50": Form(_RESNET),
    "convnext_tiny": Form(_numbered("features.{}", 8)),
    "vit_b_16": Form(_numbered("encoder.layers.encoder_layer_{}", 12)),
    "r3d_18": _video(["stem", *_numbered("layer{}", 5)[1:]]),
    "mvit_v2_s": _video(_numbered("blocks.{}", 16)),
    "swin3d_t": _video(_numbered("features.{}", 7), channels_last=True),
}


def torchvision_network(name: str) -> Network:
    """A network of `TORCHVISION` with its default weights, which torchvision fetches."""
    models = imported("torchvision").models
    form, weights = TORCHVISION[name], models.get_model_weights(name).DEFAULT
    transforms = weights.transforms()

    def preprocess(frames: Tensor) -> Tensor:
        shown: Tensor = transforms(frames)
        return shown if form.window == 1 else shown[None]

    return Network(
        name,
        with_weights(name, lambda: models.get_model(name, weights=weights)),
        form.layers,
        preprocess,
        window=form.window,
        stride=form.stride,
        channels_last=form.channels_last,
        classifies=True,
        labels=weights.meta["categories"],
        note=f"torchvision, weights {weights}",
    )


def timm_network(name: str) -> Network:
    """A network of timm's, as ``timm:NAME``, with its pretrained weights, which timm fetches.

    Layers are those that timm lists as its features; whole frames are resized to the network's
    input.
    """
    timm = imported("timm")
    module = with_weights(name, lambda: timm.create_model(name.removeprefix(TIMM), pretrained=True))
    data = timm.data.resolve_model_data_config(module)
    mean, std = (torch.tensor(data[key])[:, None, None] for key in ("mean", "std"))

    def preprocess(frames: Tensor) -> Tensor:
        size = data["input_size"][1:]
        return (F.interpolate(frames, size, mode="bicubic", antialias=True) - mean) / std

    listed = [info["module"] for info in getattr(module, "feature_info", [])]
    if not listed:
        raise StreamError(f"timm lists no layers of {name}: make a stst.Network of it in Python.")
    return Network(
        name,
        module,
        listed,
        preprocess,
        channels_last=getattr(module, "output_fmt", "NCHW") == "NHWC",
        classifies=True,
        note=f"timm, weights {name.removeprefix(TIMM)}",
    )


def imported(package: str) -> ModuleType:
    """Import a package, or say in one line why it cannot be.

    Raises
    ------
    WeightsError
    """
    try:
        return import_module(package)
    except Exception as fault:  # beside another torch than its own it raises other errors too
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise WeightsError(
            f"{package} cannot be imported ({reason}). Install the one that belongs to torch "
            f"{torch.__version__}: pip install {package}."
        ) from fault


def with_weights(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """Build a network without a draw from the caller's generator, its weights fetched."""
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            return make().eval()
    except Exception as fault:  # whatever the package, its host or the network raises
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise WeightsError(f"{name} or its weights could not be had: {reason}") from fault
