"""Spatial stream: a VGG trunk on single frames, each convolution a named layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stst.errors import StreamError, guess
from stst.models.kernels import products
from stst.models.weights import Provenance


@dataclass(frozen=True)
class Preprocessing:
    """Input normalisation of a trunk: ``(scale x frames - mean) / std``, optionally as BGR.

    Parameters
    ----------
    name : str
        Name.
    scale : float
        Factor on frames in [0, 1].
    mean : tuple of three floats
        Value to subtract, per channel in the order R, G, B.
    std : tuple of three floats, default=(1.0, 1.0, 1.0)
        Divisor, per channel in the order R, G, B.
    bgr : bool, default=False
        Whether the channels are reversed to B, G, R.

    Examples
    --------
    >>> Preprocessing("centred", 2, (1, 1, 1))(torch.zeros(1, 3, 1, 1)).flatten()
    tensor([-1., -1., -1.])
    """

    name: str
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False

    def __call__(self, frames: Tensor) -> Tensor:
        """Normalise frames: (B, 3, H, W), RGB in [0, 1] -> (B, 3, H, W)."""
        mean, std = (
            _constants(values, frames.dtype, frames.device) for values in (self.mean, self.std)
        )
        # Scale before centring, as Keras does. The other order rounds differently, enough to
        # change ties of max pooling in deep layers.
        frames = (frames * self.scale - mean) / std
        return frames.flip(1) if self.bgr else frames


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # as in ops.gaussian
def _constants(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """One value per channel, (C, 1, 1). Cached, because CUDA graphs must not copy from the host."""
    return torch.tensor(values, dtype=dtype, device=device)[:, None, None]


CAFFE = Preprocessing("caffe", 255, (123.68, 116.779, 103.939), bgr=True)
TORCHVISION = Preprocessing("torchvision", 1, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PREPROCESSINGS = {x.name: x for x in (CAFFE, TORCHVISION, Preprocessing("none", 1, (0, 0, 0)))}


@dataclass(frozen=True)
class TrunkShape:
    """Convolutions and channels per block, with 2 x 2 max pooling between blocks.

    Parameters
    ----------
    convolutions : tuple of int
        Number of convolutions in each block.
    channels : tuple of int
        Channels in each block.

    Examples
    --------
    >>> TrunkShape((1, 1), (8, 16)).receptive_fields
    {'block1_conv1': 3, 'block2_conv1': 8}
    """

    convolutions: tuple[int, ...]
    channels: tuple[int, ...]

    def __iter__(self) -> Iterator[tuple[str, int, int]]:
        """Name, input channels and output channels of each convolution, in order."""
        before = 3
        blocks = zip(self.convolutions, self.channels, strict=True)
        for block, (count, after) in enumerate(blocks, 1):
            for position in range(1, count + 1):
                yield f"block{block}_conv{position}", before, after
                before = after

    @property
    def receptive_fields(self) -> dict[str, int]:
        """Side of each layer's receptive field, px."""
        fields = dict[str, int]()
        field, stride = 1, 1
        for name, _, _ in self:
            if name.endswith("conv1") and fields:
                field, stride = field + stride, 2 * stride  # pooling before a block
            field += 2 * stride
            fields[name] = field
        return fields


VGG19 = TrunkShape((2, 2, 4, 4, 4), (64, 128, 256, 512, 512))
VGG16 = TrunkShape((2, 2, 3, 3, 3), (64, 128, 256, 512, 512))
COMPACT = TrunkShape((2, 2, 2, 2, 1), (32, 64, 128, 256, 256))


class Trunk(nn.Module):
    """VGG-shaped network as a stream (paper, figure 1: the spatial stream).

    `stst.load_stream` returns it with weights. Activations are taken after the ReLU. By default
    textures use the first convolution of each block and content the second of the last block
    (authors' code), if there is one. `receptive_fields` are in px.

    Parameters
    ----------
    shape : TrunkShape
        Blocks.
    preprocessing : Preprocessing
        Input normalisation of the weights.

    Examples
    --------
    >>> from stst import load_stream
    >>> load_stream("compact").texture_layers[:2]
    ('block1_conv1', 'block2_conv1')
    """

    frames_needed = 1
    capturable = True  # in a CUDA graph: it never waits for the device
    provenance: Provenance | None = None

    def __init__(self, shape: TrunkShape, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.layers = tuple(name for name, _, _ in shape)
        self.convolutions = nn.ModuleDict(
            {name: nn.Conv2d(before, after, 3, padding=1) for name, before, after in shape}
        )
        self.receptive_fields = shape.receptive_fields
        self.min_side = 2 ** (len(shape.channels) - 1)
        self.texture_layers = tuple(n for n in self.layers if n.endswith("conv1"))
        last = f"block{len(shape.channels)}_conv"
        self.content_layers = tuple(n for n in self.layers if n.startswith(last))[:2][-1:]

    def __repr__(self) -> str:
        name = self.provenance.name if self.provenance else "no weights"
        return f"Trunk({name}, {len(self.layers)} layers: {self.layers[0]} ... {self.layers[-1]})"

    def forward(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Compute activations of the last frame.

        Parameters
        ----------
        clip : Tensor
            Frames, RGB in [0, 1], (B, T, 3, H, W).
        layers : sequence of str
            Names of layers.

        Returns
        -------
        dict of str to Tensor
            Activations by layer, (B, C, h, w).

        Raises
        ------
        StreamError
            Unknown layer.

        Examples
        --------
        >>> from stst import load_stream
        >>> stream = load_stream("compact")
        >>> stream(torch.rand(1, 1, 3, 32, 32), ["block2_conv1"])["block2_conv1"].shape
        torch.Size([1, 64, 16, 16])
        """
        requested = check_layers(layers, self.layers)
        weight = next(self.parameters())
        x = self.preprocessing(clip[:, -1]).to(weight, memory_format=torch.channels_last)
        activations: dict[str, Tensor] = {}
        for name, convolution in self.convolutions.items():
            if len(activations) == len(requested):
                break
            if name.endswith("conv1") and name != self.layers[0]:
                x = F.max_pool2d(x, 2)
            x = F.relu(convolution(x), inplace=True)  # no gradient needs its input
            if name in requested:
                activations[name] = x
        return activations

    def grams(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Compute Gram matrices of the last frame.

        Parameters
        ----------
        clip : Tensor
            Frames, RGB in [0, 1], (B, T, 3, H, W).
        layers : sequence of str
            Names of layers.

        Returns
        -------
        dict of str to Tensor
            Gram matrices by layer, (B, C, C), float32 or better, whatever the convolutions use.

        Raises
        ------
        StreamError
            Unknown layer.

        Examples
        --------
        >>> from stst import load_stream
        >>> stream = load_stream("compact")
        >>> stream.grams(torch.rand(1, 1, 3, 32, 32), ["block2_conv1"])["block2_conv1"].shape
        torch.Size([1, 64, 64])
        """
        activations = self(clip, layers)
        maps = {name: x.permute(0, 2, 3, 1).flatten(1, 2) for name, x in activations.items()}
        return {name: products(x, x) / x.shape[1] for name, x in maps.items()}


def check_layers(requested: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    """Raise `StreamError` for a layer that a stream does not have, with a suggestion."""
    for name in requested:
        if name not in known:
            raise StreamError(
                f"there is no layer {name!r}.{guess(name, known)} Layers: {', '.join(known)}."
            )
    return frozenset(requested)


def frozen(module: nn.Module) -> nn.Module:
    """Freeze the weights, with channels last in memory, which is faster on CPUs."""
    module.eval().requires_grad_(False)
    for weight in module.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return module
