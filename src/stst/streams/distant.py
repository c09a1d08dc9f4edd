"""A stream of frame pairs made to look at pairs that are further apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from stst.errors import StreamError
from stst.streams.spatial import check_layers


class Distant(nn.Module):
    """The layers of a stream of frame pairs, for pairs at several distances in time.

    Two neighbouring frames say nothing of motion that takes long. Layer ``energy@4`` is the
    layer ``energy`` of the last frame and the fourth before it (our choice; the paper has
    neighbours alone).

    Parameters
    ----------
    inner : callable
        A stream with ``frames_needed`` of 2 that names its layers.
    distances : sequence of int
        In frames, each at least 1.

    Raises
    ------
    StreamError
        If the stream does not look at frame pairs or names no layers.
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
        self.grams = self._grams if hasattr(inner, "grams") else None

    def forward(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations: (B, T, 3, H, W) -> {``layer@distance``: (B, C, h, w)}."""
        return self._each(self.inner, clip, layers)

    def _grams(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        return self._each(self.inner.grams, clip, layers)

    def _each(
        self,
        call: Callable[[Tensor, list[str]], Mapping[str, Tensor]],
        clip: Tensor,
        layers: Sequence[str],
    ) -> dict[str, Tensor]:
        check_layers(layers, self.layers)
        found: dict[str, Tensor] = {}
        for distance in self.distances:
            ending = f"@{distance}"
            names = [name.removesuffix(ending) for name in layers if name.endswith(ending)]
            if names:
                pair = clip[:, [-1 - distance, -1]]
                found |= {f"{n}{ending}": value for n, value in call(pair, names).items()}
        return {name: found[name] for name in layers}

    def _named(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{name}@{distance}" for distance in self.distances for name in names)
