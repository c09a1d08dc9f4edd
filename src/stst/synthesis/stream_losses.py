"""Streams with their matched layers, and the objective of a window of frames."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError, StreamError
from stst.losses.functional import total_variation
from stst.losses.objective import (
    ColourMoments,
    Gamut,
    LayerTarget,
    Match,
    Objective,
    PixelLoss,
    Sameness,
    StreamCall,
    Variation,
)
from stst.models.spatial import Trunk, check_layers
from stst.models.stream import load_stream, resolved
from stst.models.stream_checks import check_numbers, check_stream
from stst.models.temporal import Distant, Msoe
from stst.recipe import ALL, LOSSES, Recipe

Windows = Mapping[str, Tensor]  # natural window of each loss, (1 or B, T, 3, H, W)
THIRD = 0.34  # of the short side: layers with larger receptive fields reveal the layout


@dataclass(frozen=True)
class StreamLosses:
    """A stream and the layers that each of its losses matches."""

    stream: StreamCall
    layers: tuple[LayerTarget, ...]
    exact: StreamCall | None = None  # float32 copy for residuals, if `stream` is bfloat16

    @property
    def in_float32(self) -> StreamLosses:
        """The same losses with the float32 stream, for residuals."""
        return self if self.exact is None else StreamLosses(self.exact, self.layers)


def load_stream_losses(
    spatial: str | StreamCall,
    temporal: str | StreamCall,
    losses: Iterable[str],
    recipe: Recipe,
    device: str,
) -> tuple[StreamLosses, ...]:
    """Load the streams that these losses need and select their layers."""
    loaded, dtype = [], resolved(recipe.precision, device)
    for prefix, stream in (("space", spatial), ("time", temporal)):
        if of_stream := [loss for loss in losses if loss.startswith(prefix)]:
            loaded.append(_load(stream, of_stream, recipe, device, dtype))
    return tuple(loaded)


def frames_needed(stream: StreamCall) -> int:
    """Number of frames that a stream sees together; 2 if it does not say."""
    return int(getattr(stream, "frames_needed", 2))


def window_length(stream_losses: Sequence[StreamLosses]) -> int:
    """Length of an optimised window: enough for all streams, and at least one past frame."""
    return max(2, *(frames_needed(losses.stream) for losses in stream_losses))


def check_streams(
    stream_losses: Sequence[StreamLosses], size: tuple[int, int], recipe: Recipe, device: str
) -> None:
    """Raise FramesError if frames (height, width) are too small for a stream.

    The coarsest octave counts. Raises StreamError if a custom stream fails on such a frame.
    """
    scale = min(octave.scale for octave in recipe.octaves)
    coarsest = octave_size(size, scale)
    need = max(int(getattr(losses.stream, "min_side", 1)) for losses in stream_losses)
    if min(coarsest) < need:
        height, width = size
        raise FramesError(
            f"{width}x{height} px is too small: at the recipe's coarsest octave "
            f"({scale:.3g}) the streams need {need} px on the short side, that is "
            f"{int(-(-need // scale))} px at full size. Use a larger clip, or drop the octave."
        )
    try_streams(stream_losses, coarsest, device)


def try_streams(stream_losses: Sequence[StreamLosses], size: tuple[int, int], device: str) -> None:
    """Try each custom stream on a frame (height, width); StreamError if it fails."""
    for losses in stream_losses:
        stream = losses.stream
        if not isinstance(getattr(stream, "inner", stream), Trunk | Msoe):
            random = torch.Generator().manual_seed(0)
            clip = torch.rand(1, frames_needed(stream), 3, *size, generator=random)
            layers = dict.fromkeys(name for target in losses.layers for name in target.layers)
            check_stream(stream, list(layers), clip.float().to(device))


def layer_warnings(
    streams: Sequence[StreamCall], losses: Sequence[str], size: tuple[int, int], recipe: Recipe
) -> list[str]:
    """Warn if textures are matched in layers that see more than a third of the frame.

    `streams` are the spatial and the temporal stream; `size` is (height, width).
    """
    shares = dict[str, float]()
    for prefix, stream in zip(("space", "time"), streams, strict=True):
        if isinstance(stream, Msoe) and recipe.field is not None:
            stream = stream.local(recipe.field)
        fields: Mapping[str, int] = getattr(stream, "receptive_fields", {})
        if f"{prefix}_texture" not in losses:
            continue
        target = _layer_target(f"{prefix}_texture", stream, recipe)
        for octave in recipe.octaves:
            small = octave_size(size, octave.scale)
            layers = list(local_layers(target, stream, min(small), recipe).layers)
            if isinstance(stream, Msoe):  # replace ``energy`` by its levels
                levels = [f"energy{k + 1}" for k in range(stream.level_count(*small))]
                layers = [x for name in layers for x in (levels if name == "energy" else [name])]
            for name in layers:
                shares[name] = max(shares.get(name, 0), fields.get(name, 0) / min(small))
    large = [f"{name} {share:.0%}" for name, share in shares.items() if share > THIRD]
    if not large:
        return []
    return [
        f"Textures are matched in layers that see much of the short side ({', '.join(large)}): the "
        "natural layout may return. Set field: 0.33, or use larger frames."
    ]


def _load(
    stream: str | StreamCall,
    losses: Sequence[str],
    recipe: Recipe,
    device: str,
    dtype: torch.dtype,
) -> StreamLosses:
    if not isinstance(stream, str) and not callable(stream):
        raise StreamError(
            f"a stream must be a name or a callable, got {type(stream).__name__}. Names: "
            "stst.list_streams(); for a torch network use stst.stream(module, layers=[...])."
        )
    model: Any = load_stream(stream) if isinstance(stream, str) else stream
    check_numbers(getattr(model, "frames_needed", 2), getattr(model, "min_side", 1))
    if isinstance(model, torch.nn.Module):
        model = _placed(model, device)
    if isinstance(model, Msoe) and recipe.field is not None:
        model = model.local(recipe.field)
    exact = None
    if dtype != torch.float32 and isinstance(model, Trunk | Msoe):
        with torch.inference_mode(False):  # as in load_stream
            model, exact = copy.deepcopy(model).to(dtype), model
    if losses[0].startswith("time") and recipe.distances != (1,):
        model = Distant(model, recipe.distances)
        exact = exact and Distant(exact, recipe.distances)
    targets = tuple(_layer_target(loss, model, recipe) for loss in losses)
    return StreamLosses(model, targets, exact)


def _placed(module: torch.nn.Module, device: str) -> torch.nn.Module:
    """The module, or a copy on the device; the caller's own module is not moved."""
    there = torch.empty(0, device=device).device
    if all(x.device == there for x in (*module.parameters(), *module.buffers())):
        return module
    with torch.inference_mode(False):  # as in load_stream
        return copy.deepcopy(module).to(there)


def _layer_target(loss: str, model: Any, recipe: Recipe) -> LayerTarget:  # noqa: ANN401
    kind = loss.split("_")[1]
    layers = getattr(recipe.layers, loss)
    if layers == ALL:
        layers = getattr(model, "layers", None)
    if layers is None:
        layers = getattr(model, f"{kind}_layers", None) or getattr(model, "layers", None)
    if not layers:
        raise StreamError(
            f"{loss} has no layers to match: the stream does not name any. Give it an attribute "
            f"`layers`, or set layers.{loss} in the recipe."
        )
    check_layers(layers, getattr(model, "layers", layers))
    scaling = "power" if recipe.scaling == "relative" else "raw"
    if loss == "time_texture" and recipe.scaling == "relative":
        scaling = "variance"
    return LayerTarget(loss, tuple(layers), scaling)


def build_objective(
    targets: Windows, stream_losses: Sequence[StreamLosses], recipe: Recipe, index: int
) -> Objective:
    """Build the objective of one transition at one size."""
    weights, natural = recipe.weights.at(index), appearance(targets)
    short, parts = min(natural.shape[-2:]), list[Match | PixelLoss]()
    for matched in stream_losses:
        layers = [x for x in matched.layers if x.loss in weights]
        windows = {local_layers(x, matched.stream, short, recipe): targets[x.loss] for x in layers}
        if windows:
            parts.append(Match(matched.stream, windows))
    if "colour_moments" in weights:
        parts.append(ColourMoments(natural))
    if "gamut" in weights:
        parts.append(Gamut(natural))
    if "total_variation" in weights:
        excess = recipe.variation == "excess"
        parts.append(Variation(total_variation(natural) if excess else None))
    if "sameness" in weights:
        parts.append(Sameness(natural))
    return Objective(parts, weights)


def local_layers(target: LayerTarget, stream: StreamCall, side: int, recipe: Recipe) -> LayerTarget:
    """Keep the texture layers with small receptive fields; `side` in px, see `Recipe.field`.

    A stream without `receptive_fields` keeps all its layers.
    """
    fields: Mapping[str, int] = getattr(stream, "receptive_fields", {})
    if recipe.field is None or not target.texture:
        return target
    sides = {name: fields.get(name, 0) for name in target.layers}
    most = max(recipe.field * side, min(sides.values()))
    return replace(target, layers=tuple(name for name in target.layers if sides[name] <= most))


def appearance(targets: Windows) -> Tensor:
    """Natural frames (1 or B, 3, H, W) that give the colours: of the spatial target, if any."""
    return next(targets[loss][:, -1] for loss in LOSSES if loss in targets)


def motion(targets: Windows) -> Tensor:
    """Natural windows (1 or B, T, 3, H, W) that give the motion: of the temporal target, if any."""
    return next(targets[loss] for loss in reversed(LOSSES) if loss in targets)


def octave_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Height and width of an octave in px, rounded down (authors' code)."""
    return int(size[0] * scale), int(size[1] * scale)


def resized(frames: Tensor, size: tuple[int, int], antialias: bool) -> Tensor:
    """Resize (B, T, 3, H, W) bilinearly to another H and W."""
    if frames.shape[-2:] == size:
        return frames
    flat = F.interpolate(frames.flatten(0, 1), size, mode="bilinear", antialias=antialias)
    return flat.reshape(*frames.shape[:3], *size)
