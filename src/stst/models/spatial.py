"""The spatial stream: a VGG trunk on single frames, each convolution a named layer."""

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
    """What a trunk was trained with: ``(scale x frames - mean) / std``, maybe turned to BGR."""

    name: str
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False

    def __call__(self, frames: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, 3, H, W) as the first convolution wants it."""
        mean, std = (
            _constants(values, frames.dtype, frames.device) for values in (self.mean, self.std)
        )
        # Scaled before centred, as Keras does: the other order rounds otherwise, which
        # is enough to flip ties of the max pooling in the deep layers.
        frames = (frames * self.scale - mean) / std
        return frames.flip(1) if self.bgr else frames


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # as in ops.gaussian
def _constants(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """One value a channel, (C, 1, 1); kept, because a CUDA graph may not copy from the host."""
    return torch.tensor(values, dtype=dtype, device=device)[:, None, None]


CAFFE = Preprocessing("caffe", 255, (123.68, 116.779, 103.939), bgr=True)
TORCHVISION = Preprocessing("torchvision", 1, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PREPROCESSINGS = {x.name: x for x in (CAFFE, TORCHVISION, Preprocessing("none", 1, (0, 0, 0)))}


@dataclass(frozen=True)
class TrunkShape:
    """Convolutions and channels of each block; 2 x 2 max pooling between blocks."""

    convolutions: tuple[int, ...]
    channels: tuple[int, ...]

    def __iter__(self) -> Iterator[tuple[str, int, int]]:
        """Name, channels in and channels out of each convolution, in order."""
        before = 3
        blocks = zip(self.convolutions, self.channels, strict=True)
        for block, (count, after) in enumerate(blocks, 1):
            for position in range(1, count + 1):
                yield f"block{block}_conv{position}", before, after
                before = after

    @property
    def receptive_fields(self) -> dict[str, int]:
        """Side in px of what one place of each layer sees."""
        fields = dict[str, int]()
        field, stride = 1, 1
        for name, _, _ in self:
            if name.endswith("conv1") and fields:
                field, stride = field + stride, 2 * stride  # the pooling before a block
            field += 2 * stride
            fields[name] = field
        return fields


VGG19 = TrunkShape((2, 2, 4, 4, 4), (64, 128, 256, 512, 512))
VGG16 = TrunkShape((2, 2, 3, 3, 3), (64, 128, 256, 512, 512))
COMPACT = TrunkShape((2, 2, 2, 2, 1), (32, 64, 128, 256, 256))


class Trunk(nn.Module):
    """A VGG-shaped trunk as a stream (paper, figure 1: the spatial stream).

    Layers are post-ReLU. Texture is by default the first convolution of each block, content the
    second of the last block (authors' code), where it has one. `receptive_fields` are in px.
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
        """Activations of the last frame: (B, T, 3, H, W) -> {layer: (B, C, h, w)}."""
        wanted = check_layers(layers, self.layers)
        weight = next(self.parameters())
        x = self.preprocessing(clip[:, -1]).to(weight, memory_format=torch.channels_last)
        activations: dict[str, Tensor] = {}
        for name, convolution in self.convolutions.items():
            if len(activations) == len(wanted):
                break
            if name.endswith("conv1") and name != self.layers[0]:
                x = F.max_pool2d(x, 2)
            x = F.relu(convolution(x), inplace=True)  # of which no slope needs the input
            if name in wanted:
                activations[name] = x
        return activations

    def grams(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Gram matrices (B, C, C) in float32 or better, whatever the convolutions are in."""
        activations = self(clip, layers)
        maps = {name: x.permute(0, 2, 3, 1).flatten(1, 2) for name, x in activations.items()}
        return {name: products(x, x) / x.shape[1] for name, x in maps.items()}


def check_layers(wanted: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    """Refuse a layer that a stream does not have, with a guess at the one meant."""
    for name in wanted:
        if name not in known:
            raise StreamError(
                f"there is no layer {name!r}.{guess(name, known)} Layers: {', '.join(known)}."
            )
    return frozenset(wanted)


def frozen(module: nn.Module) -> nn.Module:
    """Fix the weights, in channels-last memory, which the convolutions of the CPU prefer."""
    module.eval().requires_grad_(False)
    for weight in module.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return module
