"""How alike two clips are to a layer, from inner products of its activations alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import Tensor

from stst.errors import FramesError
from stst.models.recognition import Network, looked_into
from stst.video.frames import Footage

LEAST = 4  # frames: fewer have too few pairs to tell how these are arranged
_ROUNDING = 1e-10  # of the power of the activations: variance below it is none

Array = npt.NDArray[np.float64]


class Moments(NamedTuple):
    """What is kept of the activations (T, N) of a layer, however many units N it has."""

    gram: Array  # (T, T), inner products
    sums: Array  # (T,), over units
    units: int  # N

    @property
    def centred(self) -> Array:
        """Inner products with the mean over units taken off each frame, (T, T)."""
        return np.asarray(self.gram - np.outer(self.sums, self.sums) / self.units)

    @property
    def spread(self) -> Array:
        """Sum of squares about the mean over units of each frame, (T,); 0 where it is rounding."""
        spread = self.centred.diagonal()
        return np.where(spread <= _ROUNDING * self.gram.diagonal(), 0, spread)


def cosine(one: Moments, other: Moments, cross: Array) -> Array:
    """Cosine of the angle between the activations of each frame: (T,); NaN where there are none.

    `cross` (T,) are the inner products of the activations of each frame of two clips.
    """
    return _over(cross, one.gram.diagonal(), other.gram.diagonal())


def pearson(one: Moments, other: Moments, cross: Array) -> Array:
    """Pearson correlation over units, as `cosine`; NaN where activations are all the same."""
    return _over(cross - one.sums * other.sums / one.units, one.spread, other.spread)


def cka(one: Moments, other: Moments) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019) over the frames of two clips.

    NaN below 4 frames, or where all are the same. Few raise it, those of floor and ceiling too.
    """
    centred = [_frames_centred(each.gram) for each in (one, other)]
    powers = [float(np.square(each).sum()) for each in centred]
    if len(one.gram) < LEAST or not all(powers):
        return math.nan
    return float((centred[0] * centred[1]).sum() / math.sqrt(powers[0] * powers[1]))


def rsa(one: Moments, other: Moments) -> float:
    """Representational similarity analysis (Kriegeskorte et al. 2008) over frames of two clips.

    Of distances 1 - Pearson correlation. NaN below 4 frames, or where distances are the same.
    """
    upper = np.triu_indices(len(one.gram), 1)
    distances = [
        1 - _over(each.centred, each.spread[:, None], each.spread[None])[upper]
        for each in (one, other)
    ]
    flat = any(np.ptp(each) <= _ROUNDING or not np.isfinite(each).all() for each in distances)
    if len(one.gram) < LEAST or flat:
        return math.nan
    return float(np.corrcoef([rankdata(each) for each in distances])[0, 1])


def _frames_centred(gram: Array) -> Array:
    """H K H, 0 where the frames are all the same."""
    off = np.eye(len(gram)) - 1 / len(gram)
    centred = off @ gram @ off
    same = np.trace(centred) <= _ROUNDING * np.trace(gram)
    return np.zeros_like(centred) if same else np.asarray(centred)


def _over(products: Array, one: Array, other: Array) -> Array:
    """Divide by the lengths of both; NaN where one has none."""
    lengths = np.sqrt(one * other)
    empty = np.full_like(products, math.nan)
    return np.divide(products, lengths, out=empty, where=lengths > 0)


TILE = 128 * 2**20  # bytes of activations in a tile; at most two tiles of a clip are held
_BLOCK = 2**16  # units that are multiplied at a time, in float64


class Feature(NamedTuple):
    """Units of a layer: one for each channel and place, or each channel's mean over places."""

    layer: str
    view: str


Tile = Mapping[Feature, Tensor]  # (windows, N), float32


class Responses:
    """A network's responses to a clip, made when asked for; `tile` bytes are held together."""

    def __init__(self, network: Network, footage: Footage, tile: int = TILE) -> None:
        if len(footage) < network.window:
            raise FramesError(
                f"{network.name} looks at {network.window} frames together, and there are "
                f"{len(footage)}: take more frames, or leave the network out."
            )
        self.network, self.footage = network, footage
        self.starts = range(0, len(footage) - network.window + 1, network.stride)
        self._bytes = tile
        self._probabilities: dict[int, Tensor] = {}
        self._held: tuple[int, Tile] | None = None

    @cached_property
    def tiles(self) -> list[slice]:
        """Which windows are held together."""
        needed = sum(4 * units.numel() for units in self._window(0).values())
        step, count = max(1, self._bytes // needed), len(self.starts)
        return [slice(first, min(first + step, count)) for first in range(0, count, step)]

    @cached_property
    def moments(self) -> dict[Feature, Moments]:
        """Inner products of the activations of all pairs of frames, and their sums."""
        total, frames = dict[Feature, Moments](), len(self.starts)
        for row, rows in enumerate(self.tiles):
            tile = self.tile(row)
            for feature, units in tile.items():
                empty = Moments(np.zeros((frames, frames)), np.zeros(frames), units.shape[1])
                sums = total.setdefault(feature, empty).sums
                sums[rows] = units.sum(1, dtype=torch.float64).numpy()
            for column in range(row + 1):
                self._multiply(total, tile, row, column)
        return total

    def _multiply(self, total: dict[Feature, Moments], tile: Tile, row: int, column: int) -> None:
        """Enter the inner products of two tiles; the second is let go on return."""
        other = tile if column == row else self.tile(column)
        rows, columns = self.tiles[row], self.tiles[column]
        for feature, units in tile.items():
            gram = total[feature].gram
            blocks = zip(*(torch.split(x, _BLOCK, 1) for x in (units, other[feature])), strict=True)
            products = sum(a.double() @ b.double().T for a, b in blocks)
            gram[rows, columns] = products
            gram[columns, rows] = gram[rows, columns].T

    def cross(self, other: Responses) -> dict[Feature, Array]:
        """Inner products with the activations to each frame of another clip, (T,)."""
        parts: dict[Feature, list[Array]] = {}
        for index in range(len(self.tiles)):
            theirs = other.tile(index)
            for feature, units in self.tile(index).items():
                products = torch.linalg.vecdot(units.double(), theirs[feature].double())
                parts.setdefault(feature, []).append(products.numpy())
        return {feature: np.concatenate(part) for feature, part in parts.items()}

    @property
    def probabilities(self) -> Array | None:
        """Of each class in each window, (T, classes), if the network classifies."""
        if not self.network.classifies:
            return None
        for number in range(len(self.starts)):
            if number not in self._probabilities:
                self._window(number)
        ordered = [self._probabilities[number] for number in range(len(self.starts))]
        return torch.stack(ordered).double().numpy()

    def tile(self, index: int) -> Tile:
        """Activations to the windows of a tile; those of the last one are kept."""
        if self._held is None or self._held[0] != index:
            self._held = None  # freed before another one is made
            windows = list(map(self._window, range(len(self.starts))[self.tiles[index]]))
            activations = {name: torch.stack([w[name] for w in windows]) for name in windows[0]}
            self._held = index, activations
        return self._held[1]

    def _window(self, number: int) -> dict[Feature, Tensor]:
        first = self.starts[number]
        frames = self.footage.take(range(first, first + self.network.window))
        activations, probabilities = looked_into(self.network, frames)
        if probabilities is not None:
            self._probabilities[number] = probabilities
        features = {}
        for layer, values in activations.items():
            last = self.network.channels_last or values.ndim == 3
            maps = values[0].movedim(-1 if last else 0, 0)
            features[Feature(layer, "places")] = maps.reshape(-1)
            features[Feature(layer, "channels")] = maps.reshape(len(maps), -1).mean(1)
        return features
