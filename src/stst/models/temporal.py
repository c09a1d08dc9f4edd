"""Temporal stream: MSOE, marginalised spatiotemporal oriented energy."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stst.errors import StreamError
from stst.models.kernels import correlate, l1_inputs, l1_normalise, max_pool
from stst.models.ops import blur_down, contrast_norm, pyramid_gram, symmetric_pad
from stst.models.spatial import check_layers
from stst.models.weights import Provenance

LEVELS = 5
FILTER, POOL, BLUR = 11, 5, 5  # px per side


def _field(level: int) -> int:
    """Receptive field of a level (0 is the finest), in px of the frame per side."""
    step = 1 << level
    return (FILTER + POOL - 1) * step + (BLUR - 1) * (step - 1)


class Msoe(nn.Module):
    """Multiscale motion energy of a frame pair, with an optical-flow head.

    Tesfaldet et al. 2018; the paper's temporal stream (figure 1). `stst.load_stream` returns it
    with weights. Layers:

    ``energy``
        (B, 320, H, W): five levels with 64 channels each, at frame size. The paper's content
        and texture layer. Fewer levels after `local`.
    ``energy1`` ... ``energy5``
        (B, 64, h, w): one level at its own size, fine to coarse.
    ``flow``
        (B, 2, H, W): displacement in px per frame, (right, UP). Negate the second channel for
        image coordinates.

    `receptive_fields` are in px of the frame; ``energy`` has those of its levels.

    Examples
    --------
    >>> from stst import load_stream
    >>> flow = load_stream("msoe")(torch.rand(1, 2, 3, 40, 40), ["flow"])["flow"]
    >>> flow.shape
    torch.Size([1, 2, 40, 40])
    """

    frames_needed = 2
    capturable = True  # in a CUDA graph, like the trunk
    min_side = 33  # leaves 3 positions per side at the coarsest level
    layers = ("energy", *(f"energy{i}" for i in range(1, LEVELS + 1)), "flow")
    texture_layers = ("energy",)
    content_layers = ("energy",)
    provenance: Provenance | None = None
    receptive_fields = {f"energy{i}": _field(i - 1) for i in range(1, LEVELS + 1)}  # noqa: RUF012
    share = math.inf  # largest receptive field in ``energy``, fraction of the short side

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 32, FILTER)
        self.conv2 = nn.Conv2d(32, 64, 1)
        self.conv3 = nn.Conv2d(64 * LEVELS, 64, 3)
        self.conv4 = nn.Conv2d(64, 2, 1)

    def __repr__(self) -> str:
        name = self.provenance.name if self.provenance else "no weights"
        return f"Msoe({name}, layers: {', '.join(self.layers)})"

    def local(self, share: float) -> Msoe:
        """Return a copy whose ``energy`` contains only local levels (our choice).

        The weights are shared. The finest level is always included.

        Parameters
        ----------
        share : float
            Largest receptive field, as a fraction of the frame's short side, above 0.

        Returns
        -------
        Msoe
            The local stream.

        Examples
        --------
        >>> Msoe().local(0.33).level_count(108, 192)
        2
        """
        local = copy.copy(self)  # with the same weights
        local.share = share
        return local

    def level_count(self, height: int, width: int) -> int:
        """Count the levels in ``energy`` for a frame size.

        Parameters
        ----------
        height : int
            Frame height, px.
        width : int
            Frame width, px.

        Returns
        -------
        int
            Number of levels, 1 to 5.

        Examples
        --------
        >>> Msoe().level_count(108, 192)
        5
        """
        fields = self.receptive_fields.values()
        return max(sum(field <= self.share * min(height, width) for field in fields), 1)

    def forward(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Compute activations of the last two frames.

        Parameters
        ----------
        clip : Tensor
            Frames, RGB in [0, 1], (B, T, 3, H, W).
        layers : sequence of str
            Names of layers.

        Returns
        -------
        dict of str to Tensor
            Activations by layer.

        Raises
        ------
        StreamError
            Unknown layer.
        """
        requested = check_layers(layers, self.layers)
        levels = self.energies(clip)
        activations = {f"energy{i}": level for i, level in enumerate(levels, 1)}
        if requested & {"energy", "flow"}:
            size = clip.shape[-2:]
            energy = [_to_size(level, size) for level in levels]
            activations["energy"] = torch.cat(energy[: self.level_count(*size)], 1)
        if "flow" in requested:
            activations["flow"] = self.flow_head(torch.cat(energy, 1))
        return {name: activations[name] for name in layers}

    def grams(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Compute Gram matrices, equal to those of `forward`'s activations.

        That of ``energy`` is computed on the coarse grids, from the 32 energies before the second
        convolution; as this is linear, it can be applied to their Gram matrix.

        Parameters
        ----------
        clip : Tensor
            Frames, RGB in [0, 1], (B, T, 3, H, W).
        layers : sequence of str
            Names of layers.

        Returns
        -------
        dict of str to Tensor
            Gram matrices by layer, (B, C, C).

        Raises
        ------
        StreamError
            Unknown layer.

        Examples
        --------
        >>> from stst import load_stream
        >>> load_stream("msoe").grams(torch.rand(1, 2, 3, 40, 40), ["energy1"])["energy1"].shape
        torch.Size([1, 64, 64])
        """
        others = [name for name in layers if name != "energy"]
        activations = self(clip, others) if others else {}
        return {
            name: pyramid_gram([activations[name]]) if name in others else self._energy_gram(clip)
            for name in layers
        }

    def energies(self, clip: Tensor) -> list[Tensor]:
        """Compute the five levels at their own sizes.

        Parameters
        ----------
        clip : Tensor
            Frames, RGB in [0, 1], (B, T, 3, H, W).

        Returns
        -------
        list of Tensor
            Levels, fine to coarse, each (B, 64, h, w).
        """
        mixed = (F.linear(pooled, *self._mixing()) for pooled in self._pooled(clip))
        return [l1_normalise(level).permute(0, 3, 1, 2) for level in mixed]

    def _energy_gram(self, clip: Tensor) -> Tensor:
        count = self.level_count(*clip.shape[-2:])
        pooled = islice(self._pooled(clip), count)
        inputs = [l1_inputs(level, *self._mixing()) for level in pooled]
        inner = pyramid_gram([level.permute(0, 3, 1, 2) for level in inputs])
        weight, bias = self._mixing()
        levels = [torch.cat((weight, bias[:, None]), 1)] * count
        mixing: Tensor = torch.block_diag(*levels).to(inner)  # type: ignore[no-untyped-call]
        return mixing @ inner @ mixing.mT

    def _mixing(self) -> tuple[Tensor, Tensor]:
        """Weight (64, 32) and bias (64,) of the second convolution."""
        return self.conv2.weight[:, :, 0, 0], self.conv2.bias  # type: ignore[return-value]

    def _pooled(self, clip: Tensor) -> Iterator[Tensor]:
        """Energies of the first convolution, per level: (B, T, 3, H, W) -> (B, h, w, 32)."""
        pair = contrast_norm(clip[:, -2:].sum(2))  # (B, 2, H, W), grey = R + G + B
        for level in range(LEVELS):
            pair = blur_down(pair) if level else pair
            padded = symmetric_pad(pair, 5).to(self.conv1.weight)
            energy = correlate(padded, self.conv1.weight, self.conv1.bias).square()
            yield max_pool(energy.permute(0, 2, 3, 1))

    def flow_head(self, energy: Tensor) -> Tensor:
        """Estimate optical flow from all five levels.

        Parameters
        ----------
        energy : Tensor
            Levels at frame size, (B, 320, H, W).

        Returns
        -------
        Tensor
            Displacement, px per frame, (right, up), (B, 2, H, W).
        """
        flow: Tensor = self.conv4(F.relu(self.conv3(symmetric_pad(energy, 1))))
        return flow


def _to_size(x: Tensor, size: torch.Size) -> Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode="bilinear")


class Distant(nn.Module):
    """A frame-pair stream applied at several frame distances.

    Layer ``energy@4`` is ``energy`` of the last frame and the fourth before it (our choice; the
    paper uses neighbouring frames).

    Parameters
    ----------
    inner : callable
        Stream with ``frames_needed`` 2 that names its layers.
    distances : sequence of int
        Frame distances, each 1 or more.

    Raises
    ------
    StreamError
        `inner` does not use frame pairs, or names no layers.

    Examples
    --------
    >>> Distant(Msoe(), (1, 4)).layers[:1]
    ('energy@1',)
    """

    def __init__(self, inner: Any, distances: Sequence[int]) -> None:  # noqa: ANN401
        super().__init__()
        names = getattr(inner, "layers", ())
        if getattr(inner, "frames_needed", 2) != 2 or not names:
            raise StreamError(
                "distances other than 1 need a temporal stream that uses 2 frames and names its "
                "layers (attribute `layers`). Set distances=[1], or use another stream."
            )
        self.inner, self.distances = inner, tuple(distances)
        self.frames_needed = 1 + max(distances)
        self.min_side = getattr(inner, "min_side", 1)
        self.capturable = getattr(inner, "capturable", False)
        self.layers = self._named(names)
        self.texture_layers = self._named(getattr(inner, "texture_layers", names))
        self.content_layers = self._named(getattr(inner, "content_layers", names))
        self.grams = partial(self._each, inner.grams) if hasattr(inner, "grams") else None

    def forward(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Compute activations of frame pairs at the distances in the layer names.

        Parameters
        ----------
        clip : Tensor
            Frames, RGB in [0, 1], (B, T, 3, H, W).
        layers : sequence of str
            Names of layers, ``layer@distance``.

        Returns
        -------
        dict of str to Tensor
            Activations by layer, (B, C, h, w).

        Raises
        ------
        StreamError
            Unknown layer.
        """
        return self._each(self.inner, clip, layers)

    def _each(
        self,
        call: Callable[[Tensor, list[str]], Mapping[str, Tensor]],
        clip: Tensor,
        layers: Sequence[str],
    ) -> dict[str, Tensor]:
        check_layers(layers, self.layers)
        values: dict[str, Tensor] = {}
        for distance in self.distances:
            ending = f"@{distance}"
            names = [name.removesuffix(ending) for name in layers if name.endswith(ending)]
            if names:
                pair = clip[:, [-1 - distance, -1]]
                values |= {f"{n}{ending}": value for n, value in call(pair, names).items()}
        return {name: values[name] for name in layers}

    def _named(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{name}@{distance}" for distance in self.distances for name in names)
