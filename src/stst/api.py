"""synthesize(): the one place where video, streams, losses and synthesis are wired."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.errors import FramesError, RecipeError, StreamError, only_known
from stst.losses.objective import StreamCall, Wanted
from stst.recipe import LOSSES, Recipe
from stst.streams.precision import resolved
from stst.streams.spatial import Trunk, check_layers
from stst.streams.stream import load_stream
from stst.streams.temporal import Msoe
from stst.synthesis.clip import FrameDone, count_steps, noise, padded_order, walk
from stst.synthesis.transition import Side, Step, octave_size
from stst.video.frames import Clip

Targets = Mapping[str, Clip]
Curves = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Result:
    """What a synthesis ends in.

    Parameters
    ----------
    clips : tuple of Clip
        One metamer for each seed.
    residuals : dict of str to array
        ``loss/layer`` -> (seeds, frames): relative error ||found - target|| / ||target||
        of Gram matrices or activations, at full size, of each kept frame.
    losses : dict of str to array
        Loss -> (seeds, steps): unweighted, before each step, pad frames included.
    boundaries : tuple of int
        Steps at which a frame begins.
    """

    clips: tuple[Clip, ...]
    residuals: Curves
    losses: Curves
    boundaries: tuple[int, ...]

    @property
    def clip(self) -> Clip:
        """The metamer of the first seed."""
        return self.clips[0]


class Synthesis(Iterator[Step | FrameDone]):
    """A synthesis under way: iterate for its events, or ask for the `result`.

    ``len`` counts all events: each optimiser step and each finished frame.
    """

    def __init__(
        self,
        events: Iterator[Step | FrameDone],
        length: int,
        rate: Any,  # noqa: ANN401
    ) -> None:
        self._events, self._length, self._rate = events, length, rate
        self._steps: list[Step] = []
        self._frames: list[FrameDone] = []

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Step | FrameDone:
        # Only within this call: the caller's own gradient mode is left alone.
        with torch.inference_mode(False), torch.no_grad():
            event = next(self._events)
        if isinstance(event, Step):
            self._steps.append(event)
        elif event.index >= 0:
            self._frames.append(event)
        return event

    def result(self) -> Result:
        """Run to the end, if it is not there yet, and return the metamers."""
        for _ in self:
            pass
        frames = torch.stack([done.frame for done in self._frames], 1).cpu()
        clips = tuple(Clip(metamer, self._rate) for metamer in frames)
        residuals = _curves([done.residuals for done in self._frames])
        frame_of = [step.transition for step in self._steps]
        starts = [i for i, t in enumerate(frame_of) if i == 0 or t != frame_of[i - 1]]
        losses = _curves([step.losses for step in self._steps])
        return Result(clips, residuals, losses, tuple(starts))


def _curves(rows: Sequence[Mapping[str, Tensor]]) -> Curves:
    """Gather values (B,) by name over time: {name: (B, rows)}; absent ones are NaN."""
    names = dict.fromkeys(name for row in rows for name in row)
    if not names:
        return {}
    absent = torch.full_like(next(v for row in rows for v in row.values()), torch.nan)
    return {
        name: torch.stack([row.get(name, absent) for row in rows], 1).cpu().numpy()
        for name in names
    }


def synthesize(
    target: Clip | Targets,
    *,
    spatial: str | StreamCall = "vgg19",
    temporal: str | StreamCall = "msoe",
    recipe: str | Recipe = "default",
    seed: int | Sequence[int] = 0,
    device: str = "cpu",
    start: Clip | None = None,
) -> Synthesis:
    """Make the dynamic metamer of a natural clip (paper, figure 1).

    Parameters
    ----------
    target : Clip or mapping of str to Clip
        The natural clip; or one for each of the losses ``space_content``,
        ``space_texture``, ``time_content`` and ``time_texture`` that the recipe weighs,
        all of one length, size and frame rate (independent factorisation).
    spatial, temporal : str or callable
        Name of a stream (`list_streams`), or a callable of one's own (`Stream`).
    recipe : str or Recipe
        Name of a preset, or a recipe.
    seed : int or sequence of int
        Several seeds are optimised in one batch, into as many metamers.
    device : str
        ``"cpu"``, ``"cuda"`` or another device of torch.
    start : Clip, optional
        Start each frame from this clip's, in place of noise and of the previous frame.

    Returns
    -------
    Synthesis
        Iterate for events; ``.result()`` for the metamer and its residuals.

    Raises
    ------
    FramesError, RecipeError, StreamError, WeightsError
        At once, before any step.
    Diverged
        While it runs, if a loss becomes infinite or not a number.

    Examples
    --------
    >>> from fractions import Fraction
    >>> natural = Clip(torch.rand(3, 3, 40, 40), Fraction(25))
    >>> recipe = Recipe(octaves=[{"steps": 2}], pad=1)
    >>> run = synthesize(natural, spatial="compact", recipe=recipe)
    >>> run.result().clip.size
    (40, 40)
    """
    recipe = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
    targets = _targets(target, recipe)
    natural = next(iter(targets.values()))
    seeds = (seed,) if isinstance(seed, int) else tuple(seed)
    if not seeds or (len(seeds) > 1 and recipe.optimiser.method == "lbfgs"):
        raise RecipeError(
            f"got {len(seeds)} seeds: give at least one, and just one for the optimiser lbfgs, "
            "whose line search would couple them."
        )
    sides = tuple(
        side
        for prefix, stream in (("space", spatial), ("time", temporal))
        if (side := _side(prefix, stream, targets, recipe, device))
    )
    _check_sides(natural, sides, recipe)
    _check_start(start, natural)
    span = max(2, *(_frames_needed(side.stream) for side in sides))
    shape = (3, *natural.size)
    transitions = range(len(padded_order(len(natural), recipe, span)) - span + 1)
    events = walk(
        {loss: clip.frames.to(device) for loss, clip in targets.items()},
        sides,
        recipe,
        lambda t: torch.stack([noise(s, t, shape) for s in seeds]).to(device),
        span=span,
        start=None if start is None else start.frames.to(device),
    )
    length = count_steps(recipe, transitions) + len(transitions)
    return Synthesis(events, length, natural.frame_rate)


def _targets(target: Clip | Targets, recipe: Recipe) -> Targets:
    """The natural clip of each loss that the recipe weighs, checked against each other."""
    weights = recipe.weights
    weighed = [loss for loss in LOSSES if any(getattr(weights, loss))]
    for index in range(max(len(schedule) for _, schedule in weights)):
        if not weights.at(index).keys() & set(LOSSES):
            raise RecipeError(
                f"the recipe weighs no loss of frame {index} (pad frames counted): give one of "
                f"{', '.join(LOSSES)} a weight above 0."
            )
    if isinstance(target, Clip):
        return dict.fromkeys(weighed, target)
    only_known(target, LOSSES, "a mapping of targets")
    if set(target) != set(weighed):
        raise RecipeError(
            f"targets are given for {', '.join(sorted(target)) or 'nothing'}, and the recipe "
            f"weighs {', '.join(weighed)}. Give a clip for each of these and for no other."
        )
    kinds = {(len(clip), clip.size, clip.frame_rate) for clip in target.values()}
    if len(kinds) > 1:
        raise FramesError(
            "targets must agree in frames, size and frame rate, got "
            + "; ".join(f"{n} frames {h}x{w} at {rate}" for n, (h, w), rate in sorted(kinds))
            + "."
        )
    return {loss: target[loss] for loss in weighed}


def _side(
    prefix: str, stream: str | StreamCall, targets: Targets, recipe: Recipe, device: str
) -> Side | None:
    """Load one stream and choose its layers; None where nothing is wanted of it."""
    losses = [loss for loss in targets if loss.startswith(prefix)]
    if not losses:
        return None
    model: Any = load_stream(stream) if isinstance(stream, str) else stream
    if isinstance(model, torch.nn.Module):
        model = model.to(device)
    wanted = tuple(_wanted(loss, model, recipe) for loss in losses)
    dtype = resolved(recipe.precision, device)
    if dtype == torch.float32 or not isinstance(model, Trunk | Msoe):
        return Side(model, wanted)
    with torch.inference_mode(False):  # as in load_stream
        return Side(copy.deepcopy(model).to(dtype), wanted, exact=model)


def _wanted(loss: str, model: Any, recipe: Recipe) -> Wanted:  # noqa: ANN401
    kind = loss.split("_")[1]
    layers = getattr(recipe.layers, loss)
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


def _frames_needed(stream: StreamCall) -> int:
    return int(getattr(stream, "frames_needed", 2))


def _check_sides(natural: Clip, sides: Sequence[Side], recipe: Recipe) -> None:
    """Refuse frames that are too small for a stream at the coarsest octave."""
    coarsest = min(octave.scale for octave in recipe.octaves)
    need = max(int(getattr(side.stream, "min_side", 1)) for side in sides)
    if min(octave_size(natural.size, coarsest)) < need:
        height, width = natural.size
        raise FramesError(
            f"{width}x{height} px is too small: at the recipe's coarsest octave "
            f"({coarsest:.3g}) the streams need {need} px on the short side, that is "
            f"{int(-(-need // coarsest))} px in full. Take a larger clip, or drop the octave."
        )


def _check_start(start: Clip | None, natural: Clip) -> None:
    if start is not None and start.frames.shape != natural.frames.shape:
        raise FramesError(
            f"the start must have the target's shape {tuple(natural.frames.shape)}, got "
            f"{tuple(start.frames.shape)}."
        )
