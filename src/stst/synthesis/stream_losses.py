"""What is matched: streams with their layers, and the objective of a window of frames."""

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
THIRD = 0.34  # of the short side: layers that see more of it tell where things are


@dataclass(frozen=True)
class StreamLosses:
    """A stream and the layers that each of its losses matches."""

    stream: StreamCall
    layers: tuple[LayerTarget, ...]
    exact: StreamCall | None = None  # in float32, for the residuals, where the stream is not

    @property
    def in_float32(self) -> StreamLosses:
        """The same with the stream that residuals are found with."""
        return self if self.exact is None else StreamLosses(self.exact, self.layers)


def load_stream_losses(
    spatial: str | StreamCall,
    temporal: str | StreamCall,
    losses: Iterable[str],
    recipe: Recipe,
    device: str,
) -> tuple[StreamLosses, ...]:
    """Load the streams that these losses need and choose their layers."""
    loaded, dtype = [], resolved(recipe.precision, device)
    for prefix, stream in (("space", spatial), ("time", temporal)):
        if of_stream := [loss for loss in losses if loss.startswith(prefix)]:
            loaded.append(_load(stream, of_stream, recipe, device, dtype))
    return tuple(loaded)


def frames_needed(stream: StreamCall) -> int:
    """Frames that a stream looks at together; 2 where it does not say."""
    return int(getattr(stream, "frames_needed", 2))


def window_length(stream_losses: Sequence[StreamLosses]) -> int:
    """Frames of a window that is optimised: all streams see theirs, and there is a past."""
    return max(2, *(frames_needed(losses.stream) for losses in stream_losses))


def check_streams(
    stream_losses: Sequence[StreamLosses], size: tuple[int, int], recipe: Recipe, device: str
) -> None:
    """Refuse frames (height, width) too small for a stream at the coarsest octave: FramesError.

    StreamError if a stream that is not the package's cannot take such a frame, or be matched.
    """
    scale = min(octave.scale for octave in recipe.octaves)
    coarsest = octave_size(size, scale)
    need = max(int(getattr(losses.stream, "min_side", 1)) for losses in stream_losses)
    if min(coarsest) < need:
        height, width = size
        raise FramesError(
            f"{width}x{height} px is too small: at the recipe's coarsest octave "
            f"({scale:.3g}) the streams need {need} px on the short side, that is "
            f"{int(-(-need // scale))} px in full. Take a larger clip, or drop the octave."
        )
    try_streams(stream_losses, coarsest, device)


def try_streams(stream_losses: Sequence[StreamLosses], size: tuple[int, int], device: str) -> None:
    """Try each stream that is not the package's on a frame (height, width): StreamError."""
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
    """Warn where textures are matched in layers that see more than a third of the frame.

    `streams` are the spatial and the temporal one; `size` is height and width.
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
            if isinstance(stream, Msoe):  # the levels that ``energy`` has in its place
                levels = [f"energy{k + 1}" for k in range(stream.level_count(*small))]
                layers = [x for name in layers for x in (levels if name == "energy" else [name])]
            for name in layers:
                shares[name] = max(shares.get(name, 0), fields.get(name, 0) / min(small))
    large = [f"{name} {share:.0%}" for name, share in shares.items() if share > THIRD]
    if not large:
        return []
    return [
        f"Textures are matched in layers that see much of the short side ({', '.join(large)}): the "
        "natural arrangement may come back. Set field: 0.33, or take larger frames."
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
            f"a stream is the name of one or a callable, got {type(stream).__name__}. Names: "
            "stst.list_streams(); of a torch network: stst.stream(module, layers=[...])."
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
    """The module if it is on the device, else a copy that is: a caller's own is left alone."""
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
            f"which layers should {loss} match? The stream names none: give it an attribute "
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
    """Fix the targets of one transition at one size."""
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
    """Of a texture's layers those that see a small part of a short side, in px: `Recipe.field`.

    A stream that does not know its receptive fields keeps its layers.
    """
    fields: Mapping[str, int] = getattr(stream, "receptive_fields", {})
    if recipe.field is None or not target.texture:
        return target
    sides = {name: fields.get(name, 0) for name in target.layers}
    most = max(recipe.field * side, min(sides.values()))
    return replace(target, layers=tuple(name for name in target.layers if sides[name] <= most))


def appearance(targets: Windows) -> Tensor:
    """Natural frames (1 or B, 3, H, W) that decide colours: the spatial target's, if any."""
    return next(targets[loss][:, -1] for loss in LOSSES if loss in targets)


def motion(targets: Windows) -> Tensor:
    """Natural windows (1 or B, T, 3, H, W) that decide motion: the temporal target's, if any."""
    return next(targets[loss] for loss in reversed(LOSSES) if loss in targets)


def octave_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Height and width of an octave in px, rounded down (authors' code)."""
    return int(size[0] * scale), int(size[1] * scale)


def resized(frames: Tensor, size: tuple[int, int], antialias: bool) -> Tensor:
    """Bilinear, (B, T, 3, H, W) to another H and W."""
    if frames.shape[-2:] == size:
        return frames
    flat = F.interpolate(frames.flatten(0, 1), size, mode="bilinear", antialias=antialias)
    return flat.reshape(*frames.shape[:3], *size)
