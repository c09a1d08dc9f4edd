"""What a stream is, and the streams that come with the package, by name."""

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
    """A frozen model that turns frames into named activations.

    Any object of this form can take the place of VGG-19 or MSOE: how well a model's
    activations bring back the percept is the question that this package is for.

    Attributes
    ----------
    frames_needed : int
        Frames that one activation looks at: 1 for a spatial stream, 2 for MSOE.
    min_side : int
        Smallest frame side, in px, that it can take.
    layers : tuple of str
        Names of its activations, in order of depth.

    Notes
    -----
    Calling it with `clip` (B, T, 3, H, W), RGB in [0, 1], and some of `layers` gives
    {layer: (B, C, h, w)} for the last `frames_needed` frames, differentiable in `clip`.

    A stream may also have ``grams(clip, layers) -> {layer: (B, C, C)}`` where it knows
    a cheaper exact way than forming every activation; and ``texture_layers`` and
    ``content_layers``, those used where a recipe names none.

    Examples
    --------
    One's own stream, here the differences of neighbouring pixels:

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
    def frames_needed(self) -> int: ...  # noqa: D102

    @property
    def min_side(self) -> int: ...  # noqa: D102

    @property
    def layers(self) -> tuple[str, ...]: ...  # noqa: D102

    def __call__(self, clip: Tensor, layers: Sequence[str], /) -> Mapping[str, Tensor]:
        """Activations of the last frames: (B, T, 3, H, W) -> {layer: (B, C, h, w)}."""


@dataclass(frozen=True)
class StreamInfo:
    """A stream of the package, and whether it can be loaded now."""

    name: str
    role: Role
    layers: tuple[str, ...]
    weights: State  # 'absent' ones can be fetched, an 'own file' must be given
    note: str  # origin, licence, whom to cite


_BUILDERS: dict[str, Callable[[], Trunk | Msoe]] = {
    "vgg19": lambda: Trunk(VGG19, CAFFE),
    "vgg16": lambda: Trunk(VGG16, CAFFE),
    "vgg19-torchvision": lambda: Trunk(VGG19, TORCHVISION),
    "vgg16-torchvision": lambda: Trunk(VGG16, TORCHVISION),
    "compact": lambda: Trunk(COMPACT, CAFFE),
    "msoe": Msoe,
}


def list_streams() -> tuple[StreamInfo, ...]:
    """Say which streams there are, without loading any.

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
    name : str
        ``'vgg19'`` (the paper's), ``'vgg16'``, ``'compact'`` (embedded stand-in),
        ``'msoe'`` (the temporal stream), ``'vgg19-torchvision'``, ``'vgg16-torchvision'``.
        Without `weights` a name stands for weights and preprocessing together.
    weights : Path, optional
        A file in place of the embedded or fetched one: of PyTorch, safetensors, Keras or NumPy,
        with the names of torchvision, timm, Caffe or Keras, in any float type. No code in it is
        run. What it was taken for is in the stream's `provenance` and is logged.
    weights_normalisation : {'torchvision', 'caffe', 'none'}, optional
        What a VGG of one's own was trained with: RGB in [0, 1] less ImageNet's mean, divided by its
        standard deviation; BGR in [0, 255] less ImageNet's mean; RGB in [0, 1] as it is.
        By default it is recognised by the names of layers and by the statistics of the first layer,
        and asked for where it cannot be.

    Returns
    -------
    Trunk or Msoe
        A `Stream`, in evaluation mode, whose `provenance` tells the file.

    Raises
    ------
    StreamError
        Unknown name or normalisation.
    WeightsError
        Weights that are absent, damaged, of another network, or of unknown normalisation.

    Examples
    --------
    >>> load_stream("compact").provenance.normalisation
    'caffe'
    """
    if name not in _BUILDERS:
        raise StreamError(
            f"{name!r} is no stream.{guess(name, _BUILDERS)} Streams: {', '.join(_BUILDERS)}."
        )
    _check_normalisation(name, weights, weights_normalisation)
    with torch.inference_mode(False):  # in a caller's own no gradient could pass the weights
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
            f"weights_normalisation={normalisation!r} is for a weights file of your own for a "
            f"spatial network; {name!r} without one has its own. Give the file (weights=, "
            "--weights), or leave it out."
        )


def _hollow(name: str) -> Trunk | Msoe:
    """Build the module without memory, nor a draw from the caller's generator."""
    with torch.device("meta"):
        return _BUILDERS[name]()


def check_device(device: str) -> None:
    """Refuse a device that torch cannot compute on: `DeviceError`."""
    try:
        torch.zeros(1, device=device).item()  # 'meta' is a device that holds nothing
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DeviceError(
            f"device {device!r} cannot be used: {reason}. Take device='cpu' (--device cpu), or see "
            "torch.cuda.is_available()."
        ) from None


def resolved(name: str, device: str) -> torch.dtype:
    """Number format that a recipe's ``precision`` means on a device."""
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
    return torch.bfloat16 if _multiplies_bfloat16(torch.device(device)) else torch.float32


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether in hardware: where bfloat16 is emulated it is no faster than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False  # an older torch cannot tell
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))
