"""Trunks to train from and to evaluate: of the package, of any width, and with random filters."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from stst.models.spatial import CAFFE, COMPACT, Trunk, TrunkShape, frozen
from stst.models.stream import load_stream


def load_trunk(name: str, weights: Path) -> Trunk:
    """Load a trunk of `stst.load_stream` with the weights of a file."""
    trunk = load_stream(name, weights=weights)
    assert isinstance(trunk, Trunk)
    return trunk


def load_compact(path: Path) -> Trunk:
    """Load a trunk with the depth of compact and the width of the weights in a file."""
    weights = {name: tensor.float() for name, tensor in load_file(path).items()}
    trunk = Trunk(shape_of({name: len(w) for name, w in weights.items()}), CAFFE)
    trunk.load_state_dict({f"convolutions.{name}": w for name, w in weights.items()})
    frozen(trunk)
    return trunk


def shape_of(lengths: dict[str, int]) -> TrunkShape:
    blocks = range(1, len(COMPACT.convolutions) + 1)
    channels = tuple(lengths[f"block{block}_conv1.bias"] for block in blocks)
    return TrunkShape(COMPACT.convolutions, channels)


def random_trunk(like: Trunk, seed: int) -> Trunk:
    """Make a trunk as wide as another; its random filters keep activations (He et al. 2015)."""
    lengths = {f"{name}.bias": c.out_channels for name, c in like.convolutions.items()}
    trunk = Trunk(shape_of(lengths), CAFFE)
    generator = torch.Generator().manual_seed(seed)
    for convolution in trunk.convolutions.values():
        torch.nn.init.kaiming_normal_(convolution.weight, generator=generator)
        torch.nn.init.zeros_(convolution.bias)
    frozen(trunk)
    return trunk


def parameters(trunk: Trunk) -> int:
    return sum(p.numel() for p in trunk.parameters())
