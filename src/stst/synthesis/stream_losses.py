"""Which streams are used, in which precision, and what is wanted of each."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from stst.errors import FramesError, StreamError
from stst.losses.objective import StreamCall, Wanted
from stst.models.from_module import check_activations
from stst.models.spatial import Trunk, check_layers
from stst.models.stream import load_stream, resolved
from stst.models.temporal import Distant, Msoe
from stst.recipe import ALL, Recipe
from stst.synthesis.refine import Side, local, octave_size

THIRD = 0.34  # of the short side: layers that see more of it tell where things are


def make_sides(
    spatial: str | StreamCall,
    temporal: str | StreamCall,
    losses: Iterable[str],
    recipe: Recipe,
    device: str,
) -> tuple[Side, ...]:
    """Load the streams that these losses need and choose their layers.

    Raises
    ------
    StreamError, WeightsError
        A stream or layer that is not there, weights that cannot be used.
    """
    found = []
    for prefix, stream in (("space", spatial), ("time", temporal)):
        wanted = [loss for loss in losses if loss.startswith(prefix)]
        if wanted:
            found.append(_side(stream, wanted, recipe, device))
    return tuple(found)


def frames_needed(stream: StreamCall) -> int:
    """Frames that a stream looks at together; 2 where it does not say."""
    return int(getattr(stream, "frames_needed", 2))


def check_size(size: tuple[int, int], sides: Sequence[Side], recipe: Recipe) -> None:
    """Refuse frames (height, width) too small for a stream at the coarsest octave."""
    coarsest = min(octave.scale for octave in recipe.octaves)
    need = max(int(getattr(side.stream, "min_side", 1)) for side in sides)
    if min(octave_size(size, coarsest)) < need:
        height, width = size
        raise FramesError(
            f"{width}x{height} px is too small: at the recipe's coarsest octave "
            f"({coarsest:.3g}) the streams need {need} px on the short side, that is "
            f"{int(-(-need // coarsest))} px in full. Take a larger clip, or drop the octave."
        )


def try_streams(sides: Sequence[Side], size: tuple[int, int], recipe: Recipe, device: str) -> None:
    """Show streams that are not the package's own a frame of the coarsest octave.

    Raises
    ------
    StreamError
        If one cannot be called, or nothing that it puts out could be matched.
    """
    coarsest = octave_size(size, min(octave.scale for octave in recipe.octaves))
    for side in sides:
        if isinstance(getattr(side.stream, "inner", side.stream), Trunk | Msoe):
            continue
        dice = torch.Generator().manual_seed(0)
        clip = torch.rand(1, frames_needed(side.stream), 3, *coarsest, generator=dice)
        layers = dict.fromkeys(name for wanted in side.wanted for name in wanted.layers)
        check_activations(side.stream, list(layers), clip.float().to(device))


def telling(
    streams: Sequence[StreamCall], losses: Sequence[str], size: tuple[int, int], recipe: Recipe
) -> list[str]:
    """Say it where textures are matched in layers that see more than a third of the frame.

    `streams` are the spatial and the temporal one; `size` is height and width. The statistics of
    such a layer average over few places, and the natural arrangement may come back.
    """
    shares = dict[str, float]()
    for prefix, stream in zip(("space", "time"), streams, strict=True):
        if isinstance(stream, Msoe) and recipe.field is not None:
            stream = stream.local(recipe.field)
        fields: Mapping[str, int] = getattr(stream, "receptive_fields", {})
        if f"{prefix}_texture" not in losses:
            continue
        wanted = _wanted(f"{prefix}_texture", stream, recipe)
        for octave in recipe.octaves:
            small = octave_size(size, octave.scale)
            for name in _single(local(wanted, stream, min(small), recipe).layers, stream, small):
                shares[name] = max(shares.get(name, 0), fields.get(name, 0) / min(small))
    seen = [f"{name} {share:.0%}" for name, share in shares.items() if share > THIRD]
    if not seen:
        return []
    return [
        f"Textures are matched in layers that see much of the short side ({', '.join(seen)}): the "
        "natural arrangement may come back. Set field: 0.33, or take larger frames."
    ]


def _single(layers: Sequence[str], stream: StreamCall, size: tuple[int, int]) -> list[str]:
    """Layers, with the levels that ``energy`` has in its place."""
    if not isinstance(stream, Msoe):
        return list(layers)
    levels = [f"energy{level}" for level in range(1, stream.level_count(*size) + 1)]
    return [one for name in layers for one in (levels if name == "energy" else [name])]


def _side(stream: str | StreamCall, losses: Sequence[str], recipe: Recipe, device: str) -> Side:
    model: Any = load_stream(stream) if isinstance(stream, str) else stream
    if isinstance(model, torch.nn.Module):
        model = _placed(model, device)
    if isinstance(model, Msoe) and recipe.field is not None:
        model = model.local(recipe.field)
    dtype = resolved(recipe.precision, device)
    exact = None
    if dtype != torch.float32 and isinstance(model, Trunk | Msoe):
        with torch.inference_mode(False):  # as in load_stream
            model, exact = copy.deepcopy(model).to(dtype), model
    if losses[0].startswith("time") and recipe.distances != (1,):
        model = Distant(model, recipe.distances)
        exact = exact and Distant(exact, recipe.distances)
    return Side(model, tuple(_wanted(loss, model, recipe) for loss in losses), exact)


def _placed(module: torch.nn.Module, device: str) -> torch.nn.Module:
    """The module if it is on the device, else a copy that is: a caller's own is left alone."""
    there = torch.empty(0, device=device).device
    if all(x.device == there for x in (*module.parameters(), *module.buffers())):
        return module
    with torch.inference_mode(False):  # as in load_stream
        return copy.deepcopy(module).to(there)


def _wanted(loss: str, model: Any, recipe: Recipe) -> Wanted:  # noqa: ANN401
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
    return Wanted(loss, tuple(layers), scaling)
