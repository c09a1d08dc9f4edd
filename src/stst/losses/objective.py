"""Objective of a window of frames: fixed targets in, named losses out."""

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
    """Layers of a stream that one loss matches, and the scaling of their errors.

    Parameters
    ----------
    loss : str
        Name of the loss, for example ``space_texture``.
    layers : tuple of str
        Names of layers.
    scaling : {"raw", "power", "variance"}, default="raw"
        ``raw`` (authors' code), or divided by the mean square or the variance of the target.
    """

    loss: str
    layers: tuple[str, ...]
    scaling: str = "raw"

    @property
    def texture(self) -> bool:
        """Whether Gram matrices are matched instead of activations."""
        return self.loss.endswith("texture")

    def scale(self, targets: Tensor) -> Tensor:
        """Divisor of the mean square error of each target: (N, ...) -> (N,)."""
        if self.scaling == "raw":
            return targets.new_ones(len(targets))
        flat = targets.flatten(1)
        power = flat.var(1) if self.scaling == "variance" else flat.square().mean(1)
        # A layer without response to the target keeps its raw error.
        return torch.where(power > 0, power, 1)


def represent(
    stream: StreamCall, window: Tensor, targets: Sequence[LayerTarget]
) -> dict[str, Layers]:
    """Compute Gram matrices or activations of each loss in one forward pass.

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
    """Losses of one stream: errors between a window's representation and its target's.

    Parameters
    ----------
    stream : callable
        Maps a window (B, T, 3, H, W) and layer names to activations.
    windows : mapping of LayerTarget to Tensor
        Natural window of each loss, (1 or B, T, 3, H, W). Each is represented once.
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
        """Mean of each loss over its layers: {loss: (B,)}."""
        values = represent(self.stream, window, self.layers)
        losses = Losses()
        for loss, layers in values.items():
            target, scale = self.targets[loss], self.scales[loss]
            gaps = [mean_square_gap(v, target[name]) / scale[name] for name, v in layers.items()]
            losses[loss] = torch.stack(gaps).mean(0)
        return losses

    @torch.no_grad()
    def residuals(self, window: Tensor) -> dict[str, Tensor]:
        """Compute the relative error of each layer: {``loss/layer``: (B,)}."""
        return {
            f"{loss}/{name}": relative_error(value, self.targets[loss][name])
            for loss, layers in represent(self.stream, window, self.layers).items()
            for name, value in layers.items()
        }


# The losses below act on the pixels of the last frame, without a stream.
ROUNDS = 2  # passes over all directions in `Gamut.inside`
RARE = 0.003  # fraction of pixels whose extreme colours are ignored
STEP = 1 / 255  # one 8-bit level, the smallest variation that counts


class ColourMoments:
    """Error of the mean and the covariances of colours, per spatial octave (our choice).

    Gram matrices constrain contrast and coarse structure only roughly. The error of the mean is
    relative to the colour variance of the natural frame, that of each covariance to its own size.

    Parameters
    ----------
    natural : Tensor
        Natural frames, (1 or B, 3, H, W).
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
        shift = (mean - self.mean).square().sum(1) / self.spread
        return {"colour_moments": gaps.mean(1) + shift}


class Gamut:
    """Mean distance of colours outside the natural gamut (our choice).

    In each of 38 directions of RGB, colours beyond all but 0.3 % of the natural colours count by
    their distance, in natural standard deviations.

    Parameters
    ----------
    natural : Tensor
        Natural frames, (1 or B, 3, H, W).
    """

    def __init__(self, natural: Tensor) -> None:
        self.directions = _directions(natural)
        along = self.directions @ natural.flatten(2)  # (B, 38, N)
        last = max(round((1 - RARE) * along.shape[-1]), 1)
        self.limits = along.kthvalue(last, -1, keepdim=True).values
        self.spread = natural.flatten(1).std(1).clamp_min(STEP)
        self.tensors = [self.limits, self.spread]

    def inside(self, frames: Tensor) -> Tensor:
        """Project colours into the gamut: (B, 3, H, W) -> (B, 3, H, W)."""
        colours = frames.flatten(2)
        for _ in range(ROUNDS):
            for direction, limit in zip(self.directions, self.limits.unbind(1), strict=True):
                beyond = torch.relu(direction @ colours - limit)  # (B, N)
                colours = colours - direction[:, None] * beyond[:, None]
        return colours.view_as(frames).clamp(0, 1)

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"gamut": (B,)}."""
        beyond = torch.relu(self.directions @ window[:, -1].flatten(2) - self.limits)
        return {"gamut": beyond.mean(-1).sum(1) / self.spread}


def _directions(like: Tensor) -> Tensor:
    """Unit vectors to faces, edges and corners of a cube, and to 12 hues: (38, 3)."""
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=like.dtype, device=like.device)
    cube = torch.cartesian_prod(steps, steps, steps)
    cube = cube[cube.abs().sum(1) > 0]
    angle = torch.arange(12, dtype=like.dtype, device=like.device)[:, None] * (torch.pi / 6)
    red = angle.new_tensor([2, -1, -1]) / 6**0.5
    across = angle.new_tensor([0, 1, -1]) / 2**0.5
    cube = cube / cube.square().sum(1, keepdim=True).sqrt()
    return torch.cat((cube, angle.cos() * red + angle.sin() * across))


class Variation:
    """Total variation of the last frame, or its excess over an allowed value.

    Parameters
    ----------
    allowed : Tensor, optional
        Variation without penalty, (1 or B,). None penalises all of it.
    """

    def __init__(self, allowed: Tensor | None = None) -> None:
        self.allowed = allowed
        self.tensors = [] if allowed is None else [allowed]

    def __call__(self, window: Tensor) -> Losses:
        """(B, T, 3, H, W) -> {"total_variation": (B,)}."""
        variation = total_variation(window[:, -1])
        if self.allowed is not None:
            variation = torch.relu(variation - self.allowed)  # no gradient at or below 0
        return {"total_variation": variation}


class Sameness:
    """Similarity of the layouts of a batch's last frames, so metamers can differ.

    Parameters
    ----------
    natural : Tensor
        Common target, (1, 3, H, W); its spread is the unit.
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

    Parameters
    ----------
    parts : iterable of callable
        Each maps a window (B, T, 3, H, W) to {loss: (B,)} and lists its targets in `tensors`.
    weights : mapping of str to float or Tensor
        Weight of each loss, a number or (B,).
    """

    def __init__(
        self, parts: Iterable[Match | PixelLoss], weights: Mapping[str, float | Tensor]
    ) -> None:
        self.parts = tuple(parts)
        self.weights = dict(weights)

    def __call__(self, window: Tensor) -> Losses:
        """Unweighted losses: {loss: (B,)}."""
        return {name: value for part in self.parts for name, value in part(window).items()}

    def total(self, losses: Losses) -> Tensor:
        """Sum the weighted losses, (B,)."""
        return torch.stack([self.weights[name] * losses[name] for name in losses]).sum(0)

    @torch.no_grad()
    def equalised(self, window: Tensor, value: float) -> Objective:
        """Rescale each loss that is not 0 to weight times `value` for this window."""
        weights = {
            name: torch.where(now > 0, self.weights[name] * value / now, self.weights[name])
            for name, now in self(window).items()
        }
        return Objective(self.parts, weights)

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that may differ between objectives of the same structure, in order."""
        weights = [weight for weight in self.weights.values() if isinstance(weight, Tensor)]
        return [*weights, *(value for part in self.parts for value in part.tensors)]

    @property
    def capturable(self) -> bool:
        """Whether a CUDA graph can capture it: no stream waits for the device."""
        streams = (part.stream for part in self.parts if isinstance(part, Match))
        return all(getattr(stream, "capturable", False) for stream in streams)

    def load(self, other: Objective) -> None:
        """Copy targets and weights from an objective of the same structure, in place."""
        for own, new in zip(self.tensors, other.tensors, strict=True):
            own.copy_(new)

    def residuals(self, window: Tensor) -> dict[str, Tensor]:
        """Compute the relative error of every matched layer: {``loss/layer``: (B,)}."""
        matches = (part for part in self.parts if isinstance(part, Match))
        return {name: value for part in matches for name, value in part.residuals(window).items()}
