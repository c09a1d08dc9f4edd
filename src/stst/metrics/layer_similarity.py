"""Similarity of two clips in the layers of a network.

Only inner products of activations between frames are kept, so memory does not grow with the number
of units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy  # scipy.stats is slow to import: it loads on first use
import torch
from torch import Tensor

from stst.errors import FramesError
from stst.models.recognition import Network, looked_into
from stst.video.frames import Footage

LEAST = 4  # frames: fewer give too few pairs for CKA and RSA
_ROUNDING = 1e-10  # share of the power of the activations: variance below it is rounding error

Array = npt.NDArray[np.float64]


class Moments(NamedTuple):
    """Hold inner products and sums of the activations of one layer, shape (T, N).

    Parameters
    ----------
    gram : ndarray
        Inner products between frames, shape (T, T).
    sums : ndarray
        Sums over units, shape (T,).
    units : int
        Number of units N.

    Examples
    --------
    >>> x = np.arange(12.0).reshape(4, 3)
    >>> Moments(x @ x.T, x.sum(1), 3).units
    3
    """

    gram: Array
    sums: Array
    units: int

    @property
    def centred(self) -> Array:
        """Inner products after subtracting each frame's mean over units, shape (T, T).

        Examples
        --------
        >>> x = np.array([[1.0, 3.0]])
        >>> Moments(x @ x.T, x.sum(1), 2).centred.tolist()
        [[2.0]]
        """
        return np.asarray(self.gram - np.outer(self.sums, self.sums) / self.units)

    @property
    def spread(self) -> Array:
        """Sum of squares about each frame's mean over units, shape (T,); rounding error becomes 0.

        Examples
        --------
        >>> x = np.array([[1.0, 3.0]])
        >>> Moments(x @ x.T, x.sum(1), 2).spread.tolist()
        [2.0]
        """
        spread = self.centred.diagonal()
        return np.where(spread <= _ROUNDING * self.gram.diagonal(), 0, spread)


def cosine(one: Moments, other: Moments, cross: Array) -> Array:
    """Compute the cosine similarity of activations, frame by frame.

    Parameters
    ----------
    one, other : Moments
        Moments of both clips.
    cross : ndarray
        Inner products of the activations to the same frame of both clips, shape (T,).

    Returns
    -------
    ndarray
        Cosine, -1 to 1, shape (T,); NaN if there are no activations.

    Examples
    --------
    >>> x = np.arange(12.0).reshape(4, 3)
    >>> moments = Moments(x @ x.T, x.sum(1), 3)
    >>> cosine(moments, moments, (x * x).sum(1)).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return _over(cross, one.gram.diagonal(), other.gram.diagonal())


def pearson(one: Moments, other: Moments, cross: Array) -> Array:
    """Compute the Pearson correlation of activations over units, frame by frame.

    Parameters
    ----------
    one, other : Moments
        Moments of both clips.
    cross : ndarray
        Inner products of the activations to the same frame of both clips, shape (T,).

    Returns
    -------
    ndarray
        Correlation, -1 to 1, shape (T,); NaN if all activations are equal.

    Examples
    --------
    >>> x = np.arange(12.0).reshape(4, 3)
    >>> moments = Moments(x @ x.T, x.sum(1), 3)
    >>> pearson(moments, moments, (x * x).sum(1)).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return _over(cross - one.sums * other.sums / one.units, one.spread, other.spread)


def cka(one: Moments, other: Moments) -> float:
    """Compute linear centred kernel alignment (CKA) over the frames of two clips.

    Parameters
    ----------
    one, other : Moments
        Moments of both clips.

    Returns
    -------
    float
        CKA, 0 to 1; NaN with fewer than 4 frames or if all frames are equal.

    Notes
    -----
    Kornblith et al. (2019). Few frames raise CKA; floor and ceiling are raised too.

    Examples
    --------
    >>> x = np.random.default_rng(0).random((4, 3))
    >>> moments = Moments(x @ x.T, x.sum(1), 3)
    >>> round(cka(moments, moments), 6)
    1.0
    """
    centred = [_frames_centred(moments.gram) for moments in (one, other)]
    powers = [float(np.square(gram).sum()) for gram in centred]
    if len(one.gram) < LEAST or not all(powers):
        return math.nan
    return float((centred[0] * centred[1]).sum() / math.sqrt(powers[0] * powers[1]))


def rsa(one: Moments, other: Moments) -> float:
    """Compute the representational similarity (RSA) over the frames of two clips.

    Parameters
    ----------
    one, other : Moments
        Moments of both clips.

    Returns
    -------
    float
        Spearman correlation of the distances between frames, -1 to 1; NaN with fewer than 4 frames
        or if all distances are equal.

    Notes
    -----
    Kriegeskorte et al. (2008). The distance between two frames is 1 - Pearson correlation.

    Examples
    --------
    >>> x = np.random.default_rng(0).random((4, 3))
    >>> moments = Moments(x @ x.T, x.sum(1), 3)
    >>> round(rsa(moments, moments), 6)
    1.0
    """
    upper = np.triu_indices(len(one.gram), 1)
    distances = [
        1 - _over(moments.centred, moments.spread[:, None], moments.spread[None])[upper]
        for moments in (one, other)
    ]
    flat = any(np.ptp(d) <= _ROUNDING or not np.isfinite(d).all() for d in distances)
    if len(one.gram) < LEAST or flat:
        return math.nan
    return float(np.corrcoef([scipy.stats.rankdata(d) for d in distances])[0, 1])


def _frames_centred(gram: Array) -> Array:
    """Return H K H, or 0 if all frames are equal."""
    off = np.eye(len(gram)) - 1 / len(gram)
    centred = off @ gram @ off
    same = np.trace(centred) <= _ROUNDING * np.trace(gram)
    return np.zeros_like(centred) if same else np.asarray(centred)


def _over(products: Array, first: Array, second: Array) -> Array:
    """Divide by the lengths of both; NaN if a length is 0."""
    lengths = np.sqrt(first * second)
    empty = np.full_like(products, math.nan)
    return np.divide(products, lengths, out=empty, where=lengths > 0)


TILE = 128 * 2**20  # bytes of activations per tile; at most two tiles of a clip are in memory
_BLOCK = 2**16  # units multiplied at a time, in float64


class Feature(NamedTuple):
    """Name the units of a layer.

    Parameters
    ----------
    layer : str
        Layer.
    view : str
        ``"places"`` (each channel at each position) or ``"channels"`` (means over positions).

    Examples
    --------
    >>> Feature("conv1", "places").view
    'places'
    """

    layer: str
    view: str


Tile = Mapping[Feature, Tensor]  # (windows, N), float32


class Responses:
    """Compute a network's responses to a clip when they are needed.

    Parameters
    ----------
    network : Network
        Network.
    footage : Clip or Film
        Clip with at least as many frames as the network's window.
    tile : int, default 128 MiB
        Bytes of activations held together.

    Raises
    ------
    FramesError
        If the clip is too short for the network.

    Examples
    --------
    >>> from stst import Network, make_stimulus
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).eval()
    >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> responses = Responses(Network("toy", module, ["0"], lambda x: x), clip)
    >>> responses.moments[Feature("0", "channels")].gram.shape
    (4, 4)
    """

    def __init__(self, network: Network, footage: Footage, tile: int = TILE) -> None:
        if len(footage) < network.window:
            raise FramesError(
                f"{network.name} needs at least {network.window} frames, got {len(footage)}. Give "
                "a longer clip, or leave the network out."
            )
        self.network, self.footage = network, footage
        self.starts = range(0, len(footage) - network.window + 1, network.stride)
        self._bytes = tile
        self._probabilities: dict[int, Tensor] = {}
        self._held: tuple[int, Tile] | None = None

    @cached_property
    def tiles(self) -> list[slice]:
        """Windows that are held in memory together.

        Examples
        --------
        >>> from stst import Network, make_stimulus
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).eval()
        >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
        >>> Responses(Network("toy", module, ["0"], lambda x: x), clip).tiles
        [slice(0, 4, None)]
        """
        needed = sum(4 * units.numel() for units in self._window(0).values())
        step, count = max(1, self._bytes // needed), len(self.starts)
        return [slice(first, min(first + step, count)) for first in range(0, count, step)]

    @cached_property
    def moments(self) -> dict[Feature, Moments]:
        """Moments of each feature: inner products between all pairs of frames, and sums.

        Examples
        --------
        >>> from stst import Network, make_stimulus
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).eval()
        >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
        >>> responses = Responses(Network("toy", module, ["0"], lambda x: x), clip)
        >>> responses.moments[Feature("0", "places")].units
        1800
        """
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
        """Fill in the inner products of two tiles; the second is freed on return."""
        other = tile if column == row else self.tile(column)
        rows, columns = self.tiles[row], self.tiles[column]
        for feature, units in tile.items():
            gram = total[feature].gram
            blocks = zip(*(torch.split(x, _BLOCK, 1) for x in (units, other[feature])), strict=True)
            products = sum(a.double() @ b.double().T for a, b in blocks)
            gram[rows, columns] = products
            gram[columns, rows] = gram[rows, columns].T

    def cross(self, other: Responses) -> dict[Feature, Array]:
        """Compute inner products with the activations to the same frames of another clip.

        Parameters
        ----------
        other : Responses
            Responses of the same network to another clip.

        Returns
        -------
        dict of Feature to ndarray
            Inner products, shape (T,).

        Examples
        --------
        >>> from stst import Network, make_stimulus
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).eval()
        >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
        >>> responses = Responses(Network("toy", module, ["0"], lambda x: x), clip)
        >>> responses.cross(responses)[Feature("0", "channels")].shape
        (4,)
        """
        parts: dict[Feature, list[Array]] = {}
        for index in range(len(self.tiles)):
            theirs = other.tile(index)
            for feature, units in self.tile(index).items():
                products = torch.linalg.vecdot(units.double(), theirs[feature].double())
                parts.setdefault(feature, []).append(products.numpy())
        return {feature: np.concatenate(part) for feature, part in parts.items()}

    @property
    def probabilities(self) -> Array | None:
        """Probability of each class in each window, shape (T, classes); None without classes.

        Examples
        --------
        >>> from stst import Network, make_stimulus
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).eval()
        >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
        >>> Responses(Network("toy", module, ["0"], lambda x: x), clip).probabilities is None
        True
        """
        if not self.network.classifies:
            return None
        for number in range(len(self.starts)):
            if number not in self._probabilities:
                self._window(number)
        ordered = [self._probabilities[number] for number in range(len(self.starts))]
        return torch.stack(ordered).double().numpy()

    def tile(self, index: int) -> Tile:
        """Compute the activations to the windows of a tile; the last tile is kept in memory.

        Parameters
        ----------
        index : int
            Index of the tile.

        Returns
        -------
        dict of Feature to Tensor
            Activations, shape (windows, N).

        Examples
        --------
        >>> from stst import Network, make_stimulus
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).eval()
        >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
        >>> responses = Responses(Network("toy", module, ["0"], lambda x: x), clip)
        >>> responses.tile(0)[Feature("0", "channels")].shape
        torch.Size([4, 2])
        """
        if self._held is None or self._held[0] != index:
            self._held = None  # free the old tile before computing a new one
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
