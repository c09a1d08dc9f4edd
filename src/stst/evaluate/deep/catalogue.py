"""Networks by their names, loaded when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from stst.errors import StreamError, guess
from stst.evaluate.deep.efficientnet import NAME, efficientnet
from stst.evaluate.deep.foreign import TIMM, TORCHVISION, timm_network, torchvision_network
from stst.evaluate.deep.network import Network
from stst.streams.spatial import Trunk
from stst.streams.stream import Stream, list_streams, load_stream


def network_names() -> list[str]:
    """Names that `load_network` takes; any network of timm's is another, as ``timm:NAME``."""
    streams = (info.name for info in list_streams() if info.role == "spatial")
    return [NAME, *TORCHVISION, *streams]


def load_network(
    name: str, *, weights: Path | None = None, layers: Sequence[str] | None = None
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
    network = _load(name, weights)
    return network if layers is None else network.with_layers(layers)


def _load(name: str, weights: Path | None) -> Network:
    if name in (info.name for info in list_streams() if info.role == "spatial"):
        stream = load_stream(name, weights=weights)
        assert isinstance(stream, Trunk)
        return stream_network(name, stream)
    if weights is not None:
        raise StreamError(f"{name} takes no weights file: only spatial streams do.")
    if name == NAME:
        return efficientnet()
    if name in TORCHVISION:
        return torchvision_network(name)
    if name.startswith(TIMM):
        return timm_network(name)
    known = network_names()
    raise StreamError(
        f"there is no network {name!r}.{guess(name, known)} Networks: {', '.join(known)}, "
        f"{TIMM}NAME."
    )


def stream_network(name: str, stream: Stream) -> Network:
    """Make a network of a spatial stream: its layers, not resized, and no classes."""
    known = getattr(stream, "provenance", None)
    return Network(
        name,
        _Taps(stream).eval(),
        stream.layers,
        lambda frames: frames,
        sha256=known and known.sha256,
        note=known.note if known else "",
    )


class _Taps(nn.Module):
    """A stream whose activations pass through modules that have their names."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream = stream
        for name in stream.layers:
            self.add_module(name, nn.Identity())

    def forward(self, frames: Tensor) -> Tensor:
        """(1, 3, H, W) -> nothing that is of use."""
        for name, found in self.stream(frames[None], self.stream.layers).items():
            self.get_submodule(name)(found)
        return torch.empty(0)
