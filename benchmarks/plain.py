"""A slow reference of a step: the same losses and update in float32, with plain torch.

Default memory layout, `torch.nn.functional` and autograd throughout; MSOE's maps are resized to
the frame before their Gram matrix is computed. Except for the trunk's preprocessing, no code of
stst's streams or losses is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.models.ops import gaussian
from stst.models.spatial import Trunk
from stst.models.temporal import LEVELS, Msoe

Losses = dict[str, Tensor]


class Plain:
    """Losses of a window (B, 2, 3, H, W) against those of a natural one (1, 2, 3, H, W)."""

    def __init__(self, trunk: Trunk, msoe: Msoe, natural: Tensor, losses: Sequence[str]) -> None:
        self.preprocessing, self.taps = trunk.preprocessing, trunk.texture_layers
        self.trunk = {
            name: (layer.weight.contiguous().to(natural), layer.bias.to(natural))
            for name, layer in trunk.convolutions.items()
        }
        self.msoe = {name: w.contiguous().to(natural) for name, w in msoe.named_parameters()}
        self.names = losses
        with torch.no_grad():
            self.natural = {name: self.found(name, natural) for name in losses}

    def __call__(self, window: Tensor) -> Losses:
        """Return each loss: {loss: (B,)}."""
        return {name: self.gap(name, self.found(name, window)) for name in self.names}

    def found(self, loss: str, window: Tensor) -> list[Tensor]:
        """Return what a loss compares: Gram matrices, or the total variation."""
        if loss == "space_texture":
            return [gram(x) for x in self.activations(window[:, -1])]
        if loss == "time_texture":
            return [gram(self.energy(window))]
        return [variation(window[:, -1])]

    def gap(self, loss: str, found: list[Tensor]) -> Tensor:
        """Relative square errors averaged over layers, or the excess of variation: (B,)."""
        if loss == "total_variation":
            return F.relu(found[0] - self.natural[loss][0])
        temporal = loss == "time_texture"
        gaps = [
            (f - n).square().mean((1, 2)) / (n.var() if temporal else n.square().mean())
            for f, n in zip(found, self.natural[loss], strict=True)
        ]
        return torch.stack(gaps).mean(0)

    def activations(self, frame: Tensor) -> Iterator[Tensor]:
        """The trunk's texture layers: (B, 3, H, W) -> (B, C, h, w) each."""
        x, last = self.preprocessing(frame), self.taps[-1]
        for name, (weight, bias) in self.trunk.items():
            if name.endswith("conv1") and not name.startswith("block1"):
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, weight, bias, padding=1))
            if name in self.taps:
                yield x
            if name == last:
                return

    def energy(self, window: Tensor) -> Tensor:
        """MSOE's five levels at frame size: (B, 2, 3, H, W) -> (B, 320, H, W)."""
        pair = window.sum(2)
        pair = pair - pair.mean((1, 2, 3), keepdim=True)
        pair = pair / (pair.square().mean((1, 2, 3), keepdim=True) + 1e-12).sqrt()
        window_of_blur = gaussian(5, 2.0, pair.dtype, pair.device).expand(2, 1, 5, 5)
        levels = []
        for level in range(LEVELS):
            if level:
                pair = F.conv2d(mirrored(pair, 2), window_of_blur, stride=2, groups=2)
            levels.append(to_size(self.level(pair), (window.shape[-2], window.shape[-1])))
        return torch.cat(levels, 1)

    def level(self, pair: Tensor) -> Tensor:
        """One level: (B, 2, h, w) -> (B, 64, h, w)."""
        w = self.msoe
        x = F.conv2d(mirrored(pair, 5), w["conv1.weight"], w["conv1.bias"]).square()
        x = F.conv2d(F.max_pool2d(x, 5, 1, 2), w["conv2.weight"], w["conv2.bias"])
        return x / (x.abs().sum(1, keepdim=True) + 1e-12)


def gram(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, C)."""
    flat = x.flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def variation(frame: Tensor) -> Tensor:
    """Total variation over the number of pixels: (B, 3, H, W) -> (B,)."""
    total = sum(frame.diff(dim=axis).abs().sum((1, 2, 3)) for axis in (-1, -2))
    return total / (frame.shape[-2] * frame.shape[-1])


def mirrored(x: Tensor, pad: int) -> Tensor:
    """Pad height and width by mirroring, with the edge repeated."""
    rows, columns = (
        torch.from_numpy(np.pad(np.arange(side), pad, mode="symmetric")).to(x.device)
        for side in x.shape[-2:]
    )
    return x[..., rows, :][..., columns]


def to_size(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation: (B, C, h, w) -> (B, C, H, W)."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def steps(plain: Plain, window: Tensor, rate: float) -> Iterator[Losses]:
    """Yield the losses before each step of torch's Adam on the last frame."""
    x = window[:, -1].clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=rate, betas=(0.9, 0.99), eps=1e-12)
    while True:
        losses = plain(torch.cat((window[:, :-1], x[:, None]), 1))
        adam.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        adam.step()
        with torch.no_grad():
            x.clamp_(0, 1)
        yield {name: value.detach() for name, value in losses.items()}
