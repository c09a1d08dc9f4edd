"""What a window of frames is asked to match: targets fixed once, named losses out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stst.losses.functional import (
    cell_colours,
    colour_moments,
    gram,
    mean_square_gap,
    relative_error,
    sameness,
    total_variation,
)

Layers = dict[str, Tensor]
Losses = dict[str, Tensor]
StreamCall = Callable[[Tensor, Sequence[str]], Mapping[str, Tensor]]


@dataclass(frozen=True)
class LayerTarget:
    """Layers that one loss takes from a stream, and how a gap in each is scaled."""

    loss: str
    layers: tuple[str, ...]
    # Raw (the authors'), or divided by the target's mean "power" or by its entries' "variance".
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


def represent(
    stream: StreamCall, window: Tensor, targets: Sequence[LayerTarget]
) -> dict[str, Layers]:
    """Gram matrices or activations for each loss, in one pass through the stream.

    (B, T, 3, H, W) -> {loss: {layer: (B, C, C) or (B, C, h, w)}}.
    """
    layers = tuple(dict.fromkeys(name for target in targets for name in target.layers))
    textures = all(target.texture for target in targets)
    grams: Any = getattr(stream, "grams", None) if textures else None
    values = (grams or stream)(window, layers)
    return {
        t.loss: {k: gram(values[k]) if t.texture and not grams else values[k] for k in t.layers}
        for t in targets
    }


class Match:
    """The losses of one stream: gaps between a window's representation and targets'.

    `stream` maps a window (B, T, 3, H, W) and layer names to activations; `windows` holds the
    natural window (1 or B, T, 3, H, W) that each loss is to match, which is represented once.
    """

    def __init__(self, stream: StreamCall, windows: Mapping[LayerTarget, Tensor]) -> None:
        self.stream = stream
        self.layers = tuple(windows)
        with torch.no_grad():
            self.targets = {
                target.loss: represent(stream, window, [target])[target.loss]
                for target, window in windows.items()
            }
            self.scales = {
                target.loss: {n: target.scale(v) for n, v in self.targets[target.loss].items()}
                for target in windows
            }
        layers = (*self.targets.values(), *self.scales.values())
        self.tensors = [value for values in layers for value in values.values()]

    def __call__(self, window: Tensor) -> Losses:
        """Each loss averaged over its layers: {loss: (B,)}."""
        values = represent(self.stream, window, self.layers)
        losses = Losses()
        for loss, layers in values.items():
            target, scale = self.targets[loss], self.scales[loss]
            gaps = [mean_square_gap(v, target[name]) / scale[name] for name, v in layers.items()]
            losses[loss] = torch.stack(gaps).mean(0)
        return losses

    @torch.no_grad()
    def residuals(self, window: Tensor) -> dict[str, Tensor]:
        """Relative error of each layer: {``loss/layer``: (B,)}."""
        return {
            f"{loss}/{name}": relative_error(value, self.targets[loss][name])
            for loss, layers in represent(self.stream, window, self.layers).items()
            for name, value in layers.items()
        }


# Losses of the pixels of the last frame themselves, whatever a stream says of them.
ROUNDS = 2  # over all directions, of bringing colours in
RARE = 0.003  # share of pixels whose colours do not count
STEP = 1 / 255  # of an 8-bit value; colours that vary by less do not vary


class ColourMoments:
    """Mean and covariance of colours, of the frame and of its halved copies (our choice).

    Gram matrices hold contrast and what is coarse only roughly. Gaps are relative: of the mean to
    the deviation of the colours of `natural` (1 or B, 3, H, W), of each covariance to its size.
    """

    def __init__(self, natural: Tensor) -> None:
        self.mean, self.covariances = colour_moments(natural)
        powers = self.covariances.square().sum((-2, -1))
        self.powers = powers.clamp_min(4 * STEP**4)
        spread = self.covariances.sum(1).diagonal(dim1=-2, dim2=-1).sum(1)
        self.spread = spread.clamp_min(4 * STEP**2)
        self.tensors = [self.mean, self.covariances, self.powers, self.spread]

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"colour_moments": (B,)}."""
        mean, covariances = colour_moments(window[:, -1])
        gaps = (covariances - self.covariances).square().sum((-2, -1)) / self.powers
        off = (mean - self.mean).square().sum(1) / self.spread
        return {"colour_moments": gaps.mean(1) + off}


class Gamut:
    """Colours that the natural frame does not have (our choice): how far out, on average.

    What lies further out, in any of 38 directions of RGB, than all but `RARE` of the colours of
    `natural` (1 or B, 3, H, W) counts by its distance, in natural deviations.
    """

    def __init__(self, natural: Tensor) -> None:
        self.ways = _directions(natural)
        along = self.ways @ natural.flatten(2)  # (B, 38, N)
        last = max(round((1 - RARE) * along.shape[-1]), 1)
        self.limits = along.kthvalue(last, -1, keepdim=True).values
        self.spread = natural.flatten(1).std(1).clamp_min(STEP)
        self.tensors = [self.limits, self.spread]

    def inside(self, frames: Tensor) -> Tensor:
        """Bring colours that are out to near ones within: (B, 3, H, W) -> the same."""
        colours = frames.flatten(2)
        for _ in range(ROUNDS):
            for way, limit in zip(self.ways, self.limits.unbind(1), strict=True):
                beyond = torch.relu(way @ colours - limit)  # (B, N)
                colours = colours - way[:, None] * beyond[:, None]
        return colours.view_as(frames).clamp(0, 1)

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"gamut": (B,)}."""
        beyond = torch.relu(self.ways @ window[:, -1].flatten(2) - self.limits)
        return {"gamut": beyond.mean(-1).sum(1) / self.spread}


def _directions(like: Tensor) -> Tensor:
    """Unit vectors to the faces, edges and corners of a cube, and of 12 hues: (38, 3)."""
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=like.dtype, device=like.device)
    ways = torch.cartesian_prod(steps, steps, steps)
    ways = ways[ways.abs().sum(1) > 0]
    angle = torch.arange(12, dtype=like.dtype, device=like.device)[:, None] * (torch.pi / 6)
    red = angle.new_tensor([2, -1, -1]) / 6**0.5
    across = angle.new_tensor([0, 1, -1]) / 2**0.5
    ways = ways / ways.square().sum(1, keepdim=True).sqrt()
    return torch.cat((ways, angle.cos() * red + angle.sin() * across))


class Variation:
    """Total variation of the last frame; above `allowed` (1 or B,) only, where it is given."""

    def __init__(self, allowed: Tensor | None = None) -> None:
        self.allowed = allowed
        self.tensors = [] if allowed is None else [allowed]

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"total_variation": (B,)}."""
        variation = total_variation(window[:, -1])
        if self.allowed is not None:
            variation = torch.relu(variation - self.allowed)  # without a slope where it is 0
        return {"total_variation": variation}


class Sameness:
    """How alike the last frames of a batch are in layout, so that they can avoid each other.

    `natural` (1, 3, H, W) is their common target, whose own spread is the unit.
    """

    def __init__(self, natural: Tensor) -> None:
        self.spread = cell_colours(natural).var((-2, -1), correction=0).mean().clamp_min(1e-12)
        self.tensors = [self.spread]

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"sameness": (B,)}."""
        return {"sameness": sameness(cell_colours(window[:, -1]), self.spread)}


PixelLoss = ColourMoments | Gamut | Sameness | Variation


class Objective:
    """Weighted sum of named losses of a window.

    Each part takes a window (B, T, 3, H, W), returns {loss: (B,)}, and has in `tensors` all that
    it compares with; a weight of each loss is a number or (B,).
    """

    def __init__(
        self, parts: Iterable[Match | PixelLoss], weights: Mapping[str, float | Tensor]
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
        """Rescale so that each weighted loss, unless it is 0, is weight x `value` now."""
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
        """Whether a CUDA graph can hold it: each stream says that it never waits for the device."""
        streams = (part.stream for part in self.parts if isinstance(part, Match))
        return all(getattr(stream, "capturable", False) for stream in streams)

    def load(self, other: Objective) -> None:
        """Take over targets and weights, in place, of an objective of the same structure."""
        for mine, theirs in zip(self.tensors, other.tensors, strict=True):
            mine.copy_(theirs)

    def residuals(self, window: Tensor) -> dict[str, Tensor]:
        """Relative error of every matched layer: {``loss/layer``: (B,)}."""
        matches = (part for part in self.parts if isinstance(part, Match))
        return {name: value for part in matches for name, value in part.residuals(window).items()}
