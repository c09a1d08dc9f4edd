"""Generate frame pairs of moving textures whose optical flow is known exactly.

A layer is a texture with a motion. A frame samples the texture at the moved places, so that
flow is a formula and not an estimate. Flow is (right, UP), px per frame, at the
pixels of the first frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

from textures import CANVAS, DENSITY

MAX_SPEED = 10.0  # px per frame: beyond the promised 8, which then is not at the edge

# ---------------------------------------------------------------- motion


@dataclass(frozen=True)
class Motion:
    """x -> linear x + shift, px about the frame's centre, x to the right and y DOWN.

    `linear` (2, 2) is the identity for a translation.
    """

    linear: np.ndarray
    shift: np.ndarray

    def flow(self, size: int) -> Tensor:
        """Return the displacement (right, UP) at each pixel of the first frame: (2, size, size)."""
        moved = pixel_grid(size) @ (self.linear - np.eye(2)).T + self.shift
        return torch.from_numpy(np.moveaxis(moved * (1, -1), -1, 0).astype(np.float32))

    def origin(self, size: int) -> np.ndarray:
        """Return where each pixel of the second frame was in the first: (size, size, 2)."""
        return (pixel_grid(size) - self.shift) @ np.linalg.inv(self.linear).T


def pixel_grid(size: int) -> np.ndarray:
    """Return pixel centres (x, y) relative to the frame's centre: (size, size, 2)."""
    line = np.arange(size) - (size - 1) / 2
    return np.stack(np.meshgrid(line, line), -1)


def translation(right: float, up: float) -> Motion:
    return Motion(np.eye(2), np.array([right, -up]))


def spiral(turn: float, growth: float, right: float = 0, up: float = 0) -> Motion:
    """Counter-clockwise `turn` (radians) and `growth` (fraction) about the centre."""
    c, s = np.cos(turn), np.sin(turn)
    return Motion((1 + growth) * np.array([[c, s], [-s, c]]), np.array([right, -up]))


def random_motion(rng: Generator, size: int) -> Motion:
    """Draw a motion: none (12 %), translation (48 %), or also turning, growing, shearing (40 %)."""
    fate, angle = rng.random(), rng.uniform(0, 2 * np.pi)
    speed = 0.0 if fate < 0.12 else MAX_SPEED * rng.random() ** 1.5
    shift = speed * np.array([np.cos(angle), np.sin(angle)])
    if fate < 0.6:
        return Motion(np.eye(2), shift)
    turn, growth = rng.normal(0, 3.0 / size, 2)
    shear = rng.normal(0, 1.0 / size, (2, 2))
    gradient = np.array([[growth, turn], [-turn, growth]]) + shear
    corners = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)]) * size / 2
    fastest = np.linalg.norm(corners @ gradient.T + shift, axis=1).max()
    slower = min(1.0, MAX_SPEED / fastest)  # flow is affine: fastest in a corner
    return Motion(np.eye(2) + slower * gradient, slower * shift)


# ---------------------------------------------------------------- frames


@dataclass(frozen=True)
class Layer:
    """A moving texture, placed by `placement` (2, 2) and `offset` (2,).

    Canvas position = DENSITY (placement x + offset) about the canvas centre.
    """

    canvas: Tensor
    motion: Motion
    placement: np.ndarray
    offset: np.ndarray
    mask: Tensor | None = None

    def frames(self, size: int) -> tuple[Tensor, Tensor]:
        """Return the frame pair and its mask, each (2, size, size)."""
        places = np.stack([pixel_grid(size), self.motion.origin(size)])
        places = DENSITY * (places @ self.placement.T + self.offset) / (CANVAS / 2)
        grid = torch.from_numpy(places.astype(np.float32))
        pair = _sample(self.canvas, grid, "bicubic").clamp(0, 1)
        if self.mask is None:
            return pair, torch.ones_like(pair)
        return pair, _sample(self.mask, grid, "bilinear")


def _sample(canvas: Tensor, grid: Tensor, mode: str) -> Tensor:
    canvas = canvas.expand(2, -1, -1, -1)
    return F.grid_sample(canvas, grid, mode, "reflection", align_corners=False)[:, 0]


def random_placement(rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turn, mirror, enlarge (never shrink: that would alias) and offset a canvas."""
    angle, mirror = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
    enlarge = np.exp(max(0.0, rng.uniform(-0.8, 0.8)))
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]]) * (1, mirror) / enlarge, rng.uniform(-24, 24, 2)


def compose(layers: Sequence[Layer], size: int) -> tuple[Tensor, Tensor]:
    """Stack layers from back to front: frame pair (2, size, size), flow (2, size, size)."""
    pair, flow = torch.zeros(2, size, size), torch.zeros(2, size, size)
    for layer in layers:
        upper, mask = layer.frames(size)
        pair = pair + mask * (upper - pair)
        flow = torch.where(mask[0] > 0.5, layer.motion.flow(size), flow)
    return pair, flow


def random_scene(
    rng: Generator, textures: Sequence[Tensor], masks: Sequence[Tensor], size: int
) -> tuple[Tensor, Tensor]:
    """Draw one or (35 %) two layers: frame pair in [0, 1] and flow, each (2, size, size)."""
    shapes = [None] if rng.random() < 0.65 else [None, masks[rng.integers(len(masks))]]
    layers = [
        Layer(
            textures[rng.integers(len(textures))],
            random_motion(rng, size),
            *random_placement(rng),
            mask=shape,
        )
        for shape in shapes
    ]
    return compose(layers, size)


def augment(rng: Generator, pair: Tensor) -> Tensor:
    """Change gamma, contrast and brightness (equally in both frames), and add noise (not equal)."""
    pair = pair ** float(np.exp(rng.uniform(-0.5, 0.5)))
    pair = rng.uniform(0.4, 1.2) * (pair - 0.5) + 0.5 + rng.uniform(-0.2, 0.2)
    sigma = rng.uniform(0, 0.03) if rng.random() < 0.5 else 0.0
    grain = rng.standard_normal(pair.shape).astype(np.float32)
    return (pair + sigma * torch.from_numpy(grain)).clamp(0, 1)
