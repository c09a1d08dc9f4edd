"""The temporal stream: MSOE, marginalised spatiotemporal oriented energy."""

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
FILTER, POOL, BLUR = 11, 5, 5  # px, on a side


def _field(level: int) -> int:
    """Side, in px of the frame, of what one place of a level sees, 0 the finest."""
    step = 1 << level
    return (FILTER + POOL - 1) * step + (BLUR - 1) * (step - 1)


class Msoe(nn.Module):
    """Multiscale motion energy of a frame pair, with a head that reads optical flow.

    Tesfaldet et al. 2018; the paper's temporal stream (figure 1). Layers:

    ``energy``
        (B, 320, H, W): five levels, 64 channels each, brought to frame size. Content
        and texture layer of the paper. Fewer levels if `local`.
    ``energy1`` ... ``energy5``
        (B, 64, h, w): one level at its own size, fine to coarse.
    ``flow``
        (B, 2, H, W): displacement in px per frame, (right, UP); negate the second
        channel for image coordinates.

    `receptive_fields` are in px of the frame; ``energy`` has those of its levels.
    """

    frames_needed = 2
    capturable = True  # as the trunk
    min_side = 33  # the coarsest level then still has 3 positions on a side
    layers = ("energy", *(f"energy{i}" for i in range(1, LEVELS + 1)), "flow")
    texture_layers = ("energy",)
    content_layers = ("energy",)
    provenance: Provenance | None = None
    receptive_fields = {f"energy{i}": _field(i - 1) for i in range(1, LEVELS + 1)}  # noqa: RUF012
    share = math.inf  # of the short side, that the levels of ``energy`` may see

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
        """The same stream, whose ``energy`` has local levels alone (our choice), the finest always.

        Their receptive field is at most `share` of the frame's short side.
        """
        local = copy.copy(self)  # with the same weights
        local.share = share
        return local

    def level_count(self, height: int, width: int) -> int:
        """How many levels ``energy`` has, for frames of this size."""
        fields = self.receptive_fields.values()
        return max(sum(field <= self.share * min(height, width) for field in fields), 1)

    def forward(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations of the last two frames: (B, T, 3, H, W) -> {layer: activation}."""
        wanted = check_layers(layers, self.layers)
        levels = self.energies(clip)
        activations = {f"energy{i}": level for i, level in enumerate(levels, 1)}
        if wanted & {"energy", "flow"}:
            size = clip.shape[-2:]
            energy = [_to_size(level, size) for level in levels]
            activations["energy"] = torch.cat(energy[: self.level_count(*size)], 1)
        if "flow" in wanted:
            activations["flow"] = self.flow_head(torch.cat(energy, 1))
        return {name: activations[name] for name in layers}

    def grams(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Gram matrices (B, C, C), exactly those of `forward`'s activations.

        That of ``energy`` is formed on the coarse grids, and of the 32 energies that the second
        convolution mixes into 64: it is linear, so it can as well mix their Gram matrix.
        """
        others = [name for name in layers if name != "energy"]
        activations = self(clip, others) if others else {}
        return {
            name: pyramid_gram([activations[name]]) if name in others else self._energy_gram(clip)
            for name in layers
        }

    def energies(self, clip: Tensor) -> list[Tensor]:
        """The five levels at their own sizes: (B, T, 3, H, W) -> [(B, 64, h, w)]."""
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
        """Energies of the first convolution at each level: (B, T, 3, H, W) -> (B, h, w, 32)."""
        pair = contrast_norm(clip[:, -2:].sum(2))  # (B, 2, H, W), grey = R + G + B
        for level in range(LEVELS):
            pair = blur_down(pair) if level else pair
            padded = symmetric_pad(pair, 5).to(self.conv1.weight)
            energy = correlate(padded, self.conv1.weight, self.conv1.bias).square()
            yield max_pool(energy.permute(0, 2, 3, 1))

    def flow_head(self, energy: Tensor) -> Tensor:
        """(B, 320, H, W) -> (B, 2, H, W), px per frame, (right, up)."""
        flow: Tensor = self.conv4(F.relu(self.conv3(symmetric_pad(energy, 1))))
        return flow


def _to_size(x: Tensor, size: torch.Size) -> Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode="bilinear")


class Distant(nn.Module):
    """The layers of a stream of frame pairs, for pairs at several `distances` in frames.

    Layer ``energy@4`` is ``energy`` of the last frame and the fourth before it (our choice; the
    paper has neighbours alone). `StreamError` if `inner` takes no frame pairs or names no layers.
    """

    def __init__(self, inner: Any, distances: Sequence[int]) -> None:  # noqa: ANN401
        super().__init__()
        names = getattr(inner, "layers", ())
        if getattr(inner, "frames_needed", 2) != 2 or not names:
            raise StreamError(
                "distances other than 1 need a temporal stream that looks at 2 frames and names "
                "its layers (attribute `layers`). Set distances=[1], or take another stream."
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
        """Activations: (B, T, 3, H, W) -> {``layer@distance``: (B, C, h, w)}."""
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
