"""Recognition networks by name; their packages are imported when one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stst.errors import StreamError, WeightsError, guess
from stst.errors.arguments import checked
from stst.models.recognition import Network
from stst.models.spatial import Trunk
from stst.models.stream import load_stream
from stst.models.weights import CATALOGUE, EFFICIENTNET, entry, verify

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
_VIDEO = (16, 2)  # window and stride, frames; our choice where the network leaves one
TORCHVISION = {
    "resnet50": Form(_RESNET),
    "convnext_tiny": Form(_numbered("features.{}", 8)),
    "vit_b_16": Form(_numbered("encoder.layers.encoder_layer_{}", 12)),
    "r3d_18": Form(["stem", *_numbered("layer{}", 5)[1:]], *_VIDEO),
    "mvit_v2_s": Form(_numbered("blocks.{}", 16), *_VIDEO),
    "swin3d_t": Form(_numbered("features.{}", 7), *_VIDEO, channels_last=True),
}


@checked
def load_network(
    name: str,
    *,
    weights: Path | None = None,
    layers: Sequence[str] | None = None,
    weights_normalisation: str | None = None,
) -> Network:
    """Load a network to look into.

    Parameters
    ----------
    name : str
        ``'efficientnet-lite0'`` (extra ``models``; works offline); torchvision's ``'resnet50'``,
        ``'convnext_tiny'``, ``'vit_b_16'`` (images), ``'r3d_18'``, ``'mvit_v2_s'``,
        ``'swin3d_t'`` (videos); ``'timm:NAME'``; or a spatial stream, such as ``'vgg16'``.
    weights : Path, optional
        Weights file of your own for a spatial stream.
    layers : sequence of str, optional
        Those to look at, in order of depth; by default the network's blocks.
    weights_normalisation : {'torchvision', 'caffe', 'none'}, optional
        Of a weights file of your own, as for `stst.load_stream`.

    Raises
    ------
    StreamError
        Unknown name or layer.
    WeightsError
        A package or weights that are missing or cannot be used.

    Examples
    --------
    >>> load_network("compact", layers=["block1_conv1", "block5_conv1"]).layers
    ('block1_conv1', 'block5_conv1')
    """
    if name in CATALOGUE and entry(name).role == "spatial":
        stream = load_stream(name, weights=weights, weights_normalisation=weights_normalisation)
        assert isinstance(stream, Trunk)
        network = stream_network(name, stream)
    elif weights is not None or weights_normalisation is not None:
        raise StreamError(f"{name} takes no weights file: only spatial streams do.")
    elif name == EFFICIENTNET:
        network = efficientnet()
    elif name in TORCHVISION:
        network = torchvision_network(name)
    elif name.startswith(TIMM):
        network = timm_network(name)
    else:
        known = network_names()
        raise StreamError(
            f"there is no network {name!r}.{guess(name, known)} Networks: {', '.join(known)}, "
            f"{TIMM}NAME."
        )
    return network if layers is None else network.with_layers(layers)


def network_names() -> list[str]:
    """Names that `load_network` takes; any network of timm's is another, as ``timm:NAME``."""
    return [name for name, file in CATALOGUE.items() if file.role in ("recognition", "spatial")]


def torchvision_network(name: str) -> Network:
    """A network of `TORCHVISION` with its default weights, which torchvision fetches."""
    models = import_package("torchvision").models
    form, weights = TORCHVISION[name], models.get_model_weights(name).DEFAULT
    transforms = weights.transforms()

    def preprocess(frames: Tensor) -> Tensor:
        shown: Tensor = transforms(frames)
        return shown if form.window == 1 else shown[None]

    return Network(
        name,
        with_weights(name, lambda: models.get_model(name, weights=weights)),
        preprocess=preprocess,
        classifies=True,
        labels=weights.meta["categories"],
        note=f"torchvision, weights {weights}",
        **vars(form),
    )


def timm_network(name: str) -> Network:
    """A network of timm's with its pretrained weights, which timm fetches, and the layers it lists.

    Whole frames are resized to the network's input.
    """
    timm = import_package("timm")
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


def efficientnet() -> Network:
    """Load EfficientNet-Lite0 (ImageNet; Apache-2.0) from the extra ``models``: its 16 blocks.

    Whole frames are resized to 224 x 224 px. Its classes are numbers: the packages bring no names.
    """
    path = verify(EFFICIENTNET)
    library = import_package("efficientnet_lite_pytorch")
    module = with_weights(EFFICIENTNET, lambda: library.EfficientNet.from_name(EFFICIENTNET))
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    def preprocess(frames: Tensor) -> Tensor:  # as it was trained, in TensorFlow
        resized = F.interpolate(frames, (224, 224), mode="bilinear", antialias=True)
        return (255 * resized - 127.0) / 128.0

    return Network(
        EFFICIENTNET,
        module,
        _numbered("_blocks.{}", 16),
        preprocess,
        classifies=True,
        sha256=entry(EFFICIENTNET).published[1],
        note=entry(EFFICIENTNET).note,
    )


def stream_network(name: str, stream: Trunk) -> Network:
    """Make a network of a spatial stream with weights: its layers, not resized, and no classes."""
    assert stream.provenance is not None
    sha256, note = stream.provenance.sha256, stream.provenance.note
    taps = _Taps(stream).eval()
    return Network(name, taps, stream.layers, lambda frames: frames, sha256=sha256, note=note)


class _Taps(nn.Module):
    """A stream whose activations pass through modules that have their names."""

    def __init__(self, stream: Trunk) -> None:
        super().__init__()
        self.stream = stream
        for name in stream.layers:
            self.add_module(name, nn.Identity())

    def forward(self, frames: Tensor) -> Tensor:
        """(1, 3, H, W) -> nothing that is of use."""
        for name, activation in self.stream(frames[None], self.stream.layers).items():
            self.get_submodule(name)(activation)
        return torch.empty(0)


def import_package(package: str) -> ModuleType:
    """Import a package, or say in one line why it cannot be: `WeightsError`."""
    try:
        return import_module(package)
    except Exception as fault:  # beside another torch than its own it raises other errors too
        raise WeightsError(
            f"{package} cannot be imported ({_reason(fault)}). Install the one that belongs to "
            f"torch {torch.__version__}: pip install {package}."
        ) from fault


def with_weights(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """Build a network without a draw from the caller's generator, its weights fetched."""
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            return make().eval()
    except Exception as fault:  # whatever the package, its host or the network raises
        raise WeightsError(f"{name} or its weights could not be had: {_reason(fault)}") from fault


def _reason(fault: Exception) -> str:
    return str(fault).splitlines()[0] if str(fault) else type(fault).__name__
