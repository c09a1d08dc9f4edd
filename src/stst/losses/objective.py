"""What a window of frames is asked to match: targets fixed once, named losses out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stst.losses.functional import gram, mean_square_gap, relative_error
from stst.losses.pixels import ColourMoments, Gamut, Losses, Sameness, Variation

Layers = dict[str, Tensor]
Asked = ColourMoments | Gamut | Sameness | Variation  # of the pixels themselves
StreamCall = Callable[[Tensor, Sequence[str]], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Wanted:
    """Layers that one loss takes from a stream, and how a gap in each is scaled.

    ``scaling`` is ``raw`` (the authors'), ``power`` (divided by the target's mean
    square) or ``variance`` (divided by the variance of the target's entries).
    """

    loss: str
    layers: tuple[str, ...]
    scaling: str = "raw"

    @property
    def texture(self) -> bool:
        """Whether Gram matrices are matched, rather than the activations themselves."""
        return self.loss.endswith("texture")

    def scale(self, targets: Tensor) -> Tensor:
        """What a mean square gap to each target is divided by: (N, ...) -> (N,)."""
        if self.scaling == "raw":
            return targets.new_ones(len(targets))
        flat = targets.flatten(1)
        power = flat.var(1) if self.scaling == "variance" else flat.square().mean(1)
        # A layer that is silent on the target has nothing to be relative to.
        return torch.where(power > 0, power, 1)


def represent(stream: StreamCall, window: Tensor, wanted: Sequence[Wanted]) -> dict[str, Layers]:
    """Gram matrices or activations for each loss, in one pass through the stream.

    (B, T, 3, H, W) -> {loss: {layer: (B, C, C) or (B, C, h, w)}}.
    """
    layers = tuple(dict.fromkeys(name for one in wanted for name in one.layers))
    grams: Any = getattr(stream, "grams", None)
    if grams is not None and all(one.texture for one in wanted):
        found = grams(window, layers)
        return {one.loss: {name: found[name] for name in one.layers} for one in wanted}
    found = stream(window, layers)
    return {
        one.loss: {name: gram(found[name]) if one.texture else found[name] for name in one.layers}
        for one in wanted
    }


class Match:
    """The losses of one stream: gaps between a window's representation and targets'.

    Parameters
    ----------
    stream : callable
        Maps a window (B, T, 3, H, W) and layer names to activations.
    targets : mapping of Wanted to Tensor
        The natural window (1, T, 3, H, W) that each loss is to match, or one for each
        metamer (B, T, 3, H, W); represented once.
    """

    def __init__(self, stream: StreamCall, targets: Mapping[Wanted, Tensor]) -> None:
        self.stream = stream
        self.wanted = tuple(targets)
        with torch.no_grad():
            self.targets = {
                one.loss: represent(stream, window, [one])[one.loss]
                for one, window in targets.items()
            }
            self.scales = {
                one.loss: {n: one.scale(value) for n, value in self.targets[one.loss].items()}
                for one in targets
            }

    def __call__(self, window: Tensor) -> Losses:
        """Each loss averaged over its layers: {loss: (B,)}."""
        found = represent(self.stream, window, self.wanted)
        return {one.loss: self._gap(one, found[one.loss]) for one in self.wanted}

    @property
    def tensors(self) -> list[Tensor]:
        """Targets and their scales, in order."""
        held = (self.targets, self.scales)
        return [value for part in held for layers in part.values() for value in layers.values()]

    @property
    def capturable(self) -> bool:
        """Whether the stream says that it never waits for the device."""
        return bool(getattr(self.stream, "capturable", False))

    def _gap(self, one: Wanted, found: Layers) -> Tensor:
        target, scale = self.targets[one.loss], self.scales[one.loss]
        gaps = [mean_square_gap(found[name], target[name]) / scale[name] for name in one.layers]
        return torch.stack(gaps).mean(0)

    @torch.no_grad()
    def residuals(self, window: Tensor) -> dict[str, Tensor]:
        """Relative error of each layer: {``loss/layer``: (B,)}."""
        found = represent(self.stream, window, self.wanted)
        return {
            f"{loss}/{name}": relative_error(value, self.targets[loss][name])
            for loss, layers in found.items()
            for name, value in layers.items()
        }


class Objective:
    """Weighted sum of named losses of a window.

    Parameters
    ----------
    parts : sequence of Match, ColourMoments, Gamut, Variation or Sameness
        Each takes a window (B, T, 3, H, W) and returns {loss: (B,)}.
    weights : mapping of str to float or (B,) Tensor
        Weight of each loss.
    """

    def __init__(
        self,
        parts: Iterable[Match | Asked],
        weights: Mapping[str, float | Tensor],
    ) -> None:
        self.parts = tuple(parts)
        self.weights = dict(weights)

    def __call__(self, window: Tensor) -> Losses:
        """Losses as they are, neither weighted nor equalised: {loss: (B,)}."""
        return {name: value for part in self.parts for name, value in part(window).items()}

    def total(self, losses: Losses) -> Tensor:
        """Weighted sum over losses, (B,)."""
        return torch.stack([self.weights[name] * losses[name] for name in losses]).sum(0)

    @torch.no_grad()
    def equalised(self, window: Tensor, value: float) -> Objective:
        """Rescale so that each weighted loss is weight x `value` now (authors' code).

        A loss that is 0 keeps its weight: there is nothing to scale by, and the
        authors' division would give infinity.
        """
        weights = {
            name: torch.where(now > 0, self.weights[name] * value / now, self.weights[name])
            for name, now in self(window).items()
        }
        return Objective(self.parts, weights)

    @property
    def tensors(self) -> list[Tensor]:
        """All that may differ between two objectives of one structure, in order."""
        weights = [weight for weight in self.weights.values() if isinstance(weight, Tensor)]
        return [*weights, *(value for part in self.parts for value in part.tensors)]

    @property
    def capturable(self) -> bool:
        """Whether a CUDA graph can hold it: no part of it waits for the device."""
        return all(part.capturable for part in self.parts)

    def load(self, other: Objective) -> None:
        """Take over targets and weights, in place, of an objective of the same structure."""
        for mine, theirs in zip(self.tensors, other.tensors, strict=True):
            mine.copy_(theirs)

    def residuals(self, window: Tensor) -> dict[str, Tensor]:
        """Relative error of every matched layer: {``loss/layer``: (B,)}."""
        matches = (part for part in self.parts if isinstance(part, Match))
        return {name: value for part in matches for name, value in part.residuals(window).items()}
