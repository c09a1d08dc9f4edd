"""The stream protocol, and the package's streams by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from stst.errors import DeviceError, StreamError, guess
from stst.errors.arguments import checked
from stst.models.layouts import NORMALISATIONS
from stst.models.spatial import (
    CAFFE,
    COMPACT,
    PREPROCESSINGS,
    TORCHVISION,
    VGG16,
    VGG19,
    Trunk,
    frozen,
)
from stst.models.temporal import Msoe
from stst.models.weights import Role, State, entry, load_weights, state


@runtime_checkable
class Stream(Protocol):
    """Protocol of a model that can be matched.

    A stream maps frames to named activations and has fixed weights. Any object with these
    attributes can replace VGG-19 or MSOE.

    Attributes
    ----------
    frames_needed : int
        Frames per activation: 1 for a spatial stream, 2 for MSOE.
    min_side : int
        Smallest frame side that it accepts, px.
    layers : tuple of str
        Names of its activations, in order of depth.

    See Also
    --------
    stream : Make a stream from a torch network.

    Notes
    -----
    Called with `clip` (B, T, 3, H, W), RGB in [0, 1], and some of `layers`, a stream returns
    {layer: (B, C, h, w)} for the last `frames_needed` frames, differentiable in `clip`.

    Optional: ``grams(clip, layers) -> {layer: (B, C, C)}``, if Gram matrices can be computed
    faster than from all activations; ``texture_layers`` and ``content_layers``, used if a recipe
    names none.

    Examples
    --------
    A stream of differences between neighbouring pixels:

    >>> class Edges(torch.nn.Module):
    ...     frames_needed = 1
    ...     min_side = 2
    ...     layers = ("across", "down")
    ...
    ...     def forward(self, clip, layers):
    ...         x = clip[:, -1]
    ...         edges = {"across": x.diff(dim=-1), "down": x.diff(dim=-2)}
    ...         return {name: edges[name] for name in layers}
    >>> edges = Edges()
    >>> isinstance(edges, Stream)
    True
    >>> edges(torch.rand(1, 1, 3, 8, 8), ["down"])["down"].shape
    torch.Size([1, 3, 7, 8])
    """

    @property
    def frames_needed(self) -> int:
        """Frames per activation."""

    @property
    def min_side(self) -> int:
        """Smallest frame side, px."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the activations, in order of depth."""

    def __call__(self, clip: Tensor, layers: Sequence[str], /) -> Mapping[str, Tensor]:
        """Activations of the last frames: (B, T, 3, H, W) -> {layer: (B, C, h, w)}."""


@dataclass(frozen=True)
class StreamInfo:
    """Description of a stream of the package.

    Parameters
    ----------
    name : str
        Name for `load_stream`.
    role : str
        ``"spatial"`` or ``"temporal"``.
    layers : tuple of str
        Names of its layers, in order of depth.
    weights : str
        ``"embedded"``, ``"cached"``, ``"absent"`` (can be downloaded) or ``"own file"`` (give
        the file).
    note : str
        Origin, licence and citation.
    """

    name: str
    role: Role
    layers: tuple[str, ...]
    weights: State
    note: str


_BUILDERS: dict[str, Callable[[], Trunk | Msoe]] = {
    "vgg19": lambda: Trunk(VGG19, CAFFE),
    "vgg16": lambda: Trunk(VGG16, CAFFE),
    "vgg19-torchvision": lambda: Trunk(VGG19, TORCHVISION),
    "vgg16-torchvision": lambda: Trunk(VGG16, TORCHVISION),
    "compact": lambda: Trunk(COMPACT, CAFFE),
    "msoe": Msoe,
}


def list_streams() -> tuple[StreamInfo, ...]:
    """List the streams of the package without loading any.

    Returns
    -------
    tuple of StreamInfo
        Name, role, layers and state of the weights of each stream.

    Examples
    --------
    >>> [info.name for info in list_streams() if info.role == "temporal"]
    ['msoe']
    """
    return tuple(
        StreamInfo(name, entry(name).role, _hollow(name).layers, state(name), entry(name).note)
        for name in _BUILDERS
    )


@checked
def load_stream(
    name: str, *, weights: Path | None = None, weights_normalisation: str | None = None
) -> Trunk | Msoe:
    """Load a stream with its trained weights, frozen, on the CPU.

    Parameters
    ----------
    name : {"vgg19", "vgg16", "vgg19-torchvision", "vgg16-torchvision", "compact", "msoe"}
        ``vgg19`` is the paper's spatial stream, ``msoe`` the temporal stream, ``compact`` an
        embedded stand-in for VGG. Without `weights`, a name selects weights and preprocessing
        together.
    weights : Path, optional
        Your own weights file instead of the embedded or downloaded one: PyTorch, safetensors,
        Keras or NumPy, with layer names of torchvision, timm, Caffe or Keras, in any float
        type. No code in it is run. The recognised form is logged and stored in `provenance`.
    weights_normalisation : {"torchvision", "caffe", "none"}, optional
        Input normalisation of your VGG weights: RGB in [0, 1] minus ImageNet's mean, divided
        by its standard deviation; BGR in [0, 255] minus ImageNet's mean; RGB in [0, 1]
        unchanged. By default it is recognised by the layer names and the statistics of the
        first layer; if these are ambiguous, an error asks for it.

    Returns
    -------
    Trunk or Msoe
        A `Stream` in evaluation mode; `provenance` describes the file.

    Raises
    ------
    StreamError
        Unknown name or normalisation.
    WeightsError
        Weights that are missing, damaged, from another network, or of unknown normalisation.

    See Also
    --------
    stream : Make a stream from your own torch network.
    list_streams : List names, layers and available weights.

    Examples
    --------
    >>> load_stream("compact").provenance.normalisation
    'caffe'
    """
    if name not in _BUILDERS:
        raise StreamError(
            f"{name!r} is not a known stream.{guess(name, _BUILDERS)} Streams: "
            f"{', '.join(_BUILDERS)}."
        )
    _check_normalisation(name, weights, weights_normalisation)
    with torch.inference_mode(False):  # inference tensors would block gradients
        module = _hollow(name)
        convolutions = module.convolutions if isinstance(module, Trunk) else module
        origin = load_weights(name, convolutions, weights, normalisation=weights_normalisation)
        if isinstance(module, Trunk) and origin.normalisation:
            module.preprocessing = PREPROCESSINGS[origin.normalisation]
        module.provenance = origin
        frozen(module)
    return module


def _check_normalisation(name: str, weights: Path | None, normalisation: str | None) -> None:
    if normalisation is None:
        return
    if normalisation not in PREPROCESSINGS:
        raise StreamError(
            f"there is no normalisation {normalisation!r}.{guess(normalisation, PREPROCESSINGS)} "
            f"It is one of {', '.join(NORMALISATIONS)}."
        )
    if weights is None or entry(name).role != "spatial":
        raise StreamError(
            f"weights_normalisation={normalisation!r} needs your own weights file for a spatial "
            f"network; {name!r} is loaded without one. Give a file (weights=, --weights), or leave "
            "the setting out."
        )


def _hollow(name: str) -> Trunk | Msoe:
    """Build the module without memory and without using the caller's random generator."""
    with torch.device("meta"):
        return _BUILDERS[name]()


def check_device(device: str) -> None:
    """Raise `DeviceError` if torch cannot compute on a device.

    Parameters
    ----------
    device : str
        Torch device, for example ``"cpu"`` or ``"cuda:0"``.

    Raises
    ------
    DeviceError
        The device is unknown or not available.

    Examples
    --------
    >>> check_device("cpu")
    """
    try:
        torch.zeros(1, device=device).item()  # fails on 'meta', which stores no values
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DeviceError(
            f"device {device!r} cannot be used: {reason}. Use device='cpu' (--device cpu), or "
            "check torch.cuda.is_available()."
        ) from None


def resolved(name: str, device: str) -> torch.dtype:
    """Number format of a recipe's ``precision`` on a device."""
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
    return torch.bfloat16 if _multiplies_bfloat16(torch.device(device)) else torch.float32


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16; emulated, it is no faster than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False  # older torch versions do not say
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
