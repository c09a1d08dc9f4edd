"""All frames of a clip in order: padding, and the state between two frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stst.errors import FramesError, RecipeError
from stst.recipe import Recipe, at
from stst.synthesis.descent import Evaluations
from stst.synthesis.refine import Side, Step, build_objective, coloured, refine
from stst.synthesis.starts import Noise, Source
from stst.video.frames import Footage


@dataclass(frozen=True)
class ClipState:
    """All that is needed to go on after a finished frame."""

    transition: int  # the next one
    history: Tensor  # (B, T - 1, 3, H, W), the last finished frames


@dataclass(frozen=True)
class FrameDone:
    """A finished frame of each metamer.

    ``index`` counts kept frames from 0; it is negative for a pad frame. ``residuals``
    holds the relative error of each layer against the full-size natural target.
    """

    index: int
    frame: Tensor  # (B, 3, H, W)
    residuals: dict[str, Tensor]  # loss/layer -> (B,); none of a frame that was given
    state: ClipState | None  # None where frames are not made one after the other


def padded_order(
    frames: int, recipe: Recipe, span: int = 2, *, to_and_fro: bool = False
) -> list[int]:
    """Index of the natural frame behind each made one, pad frames first.

    Streams look at `span` frames together: the first ``span - 1`` made are noise.
    With `to_and_fro` too few frames are no error: pad frames turn round at the last, too.

    Examples
    --------
    >>> recipe = Recipe(octaves=[{}], pad=2)
    >>> padded_order(4, recipe)
    [2, 1, 0, 1, 2, 3]
    >>> padded_order(2, recipe, to_and_fro=True)
    [0, 1, 0, 1]
    """
    if recipe.pad < span - 1:
        raise RecipeError(
            f"pad={recipe.pad} is too little: the first {span - 1} frame(s) made are noise "
            f"and must be dropped. Set pad={span - 1} or more."
        )
    if frames <= recipe.pad and not to_and_fro:
        less = f" or set pad={frames - 1}" if frames >= span else ""
        raise FramesError(
            f"{frames} frame(s) are too few for pad={recipe.pad}: the clip needs at least "
            f"{recipe.pad + 1}. Take more frames{less}."
        )
    last = frames - 1
    pad = [last - abs(last - index % max(2 * last, 1)) for index in range(1, recipe.pad + 1)]
    return (pad if recipe.pad_order == "authors" else pad[::-1]) + list(range(frames))


def made_order(
    targets: Mapping[str, Sequence[Footage]],
    recipe: Recipe,
    span: int,
    given: Footage | None,
    *,
    to_and_fro: bool = False,
) -> list[int]:
    """Index of the natural frame behind each made one.

    Pad frames come first, unless frames are given to begin with or the clip is a loop.
    """
    frames = frames_of(targets)
    if given is None and not recipe.loop:
        return padded_order(frames, recipe, span, to_and_fro=to_and_fro)
    if given is not None and (recipe.loop or not span - 1 <= len(given) < frames):
        raise FramesError(
            f"{len(given)} frame(s) are given for a clip of {frames}: give at least {span - 1} and "
            "fewer than all, and to no loop, which has no beginning."
        )
    if frames < span:
        raise FramesError(f"a loop needs at least {span} frames here, got {frames}.")
    return list(range(frames))


def frames_of(targets: Mapping[str, Sequence[Footage]]) -> int:
    """Length of the natural clips."""
    return len(next(iter(targets.values()))[0])


def count_events(order: Sequence[int], recipe: Recipe, span: int, fixed: int) -> int:
    """Steps and finished frames of a synthesis; with a stop, the most there can be."""
    made = len(order) - (0 if recipe.loop else fixed or span - 1)
    first = 1 if fixed else 0
    transitions = range(first, first + made) if recipe.whole is None else range(1)
    return count_steps(recipe, transitions) + made + fixed


def count_steps(recipe: Recipe, transitions: Sequence[int]) -> int:
    """Optimiser steps of these transitions, all octaves; with a stop, the most there can be."""
    rounds = 1 if recipe.stop is None else recipe.stop.rounds
    return rounds * sum(at(octave.steps, t) for octave in recipe.octaves for t in transitions)


def walk(
    targets: Mapping[str, Sequence[Footage]],
    sides: tuple[Side, ...],
    recipe: Recipe,
    fresh: Noise,
    *,
    span: int = 2,
    start: Footage | None = None,
    given: Footage | None = None,
    finished: Iterable[Step | FrameDone] = (),
    to_and_fro: bool = False,
    device: str = "cpu",
) -> Iterator[Step | FrameDone]:
    """Make all frames, in order.

    Parameters
    ----------
    targets : mapping of str to sequence of Footage
        The natural clip of each loss, one for all metamers or one for each; frames are
        taken of it when they are needed.
    sides : tuple of Side
        Streams and what is wanted of them.
    recipe : Recipe
        What to do.
    fresh : callable
        Noise (B, 3, H, W) in [0, 1] for a transition.
    span : int
        Frames that the streams look at together.
    start : Footage, optional
        Frames to start from, in place of noise and of the previous frame.
    given : Footage, optional
        The first frames, which are kept as they are.
    finished : iterable of Step and FrameDone
        Events of the same walk, stopped earlier, from its first state on (frames that are
        given come before it): they come again, and the walk goes on after them.
    to_and_fro : bool
        Whether the clip may be shorter than its pad frames, as a shot may.
    device : str
        Where frames are taken to; that of the noise.

    Yields
    ------
    Step, FrameDone
        Steps of a frame, then the frame.
    """
    order = made_order(targets, recipe, span, given, to_and_fro=to_and_fro)
    source = Source(targets, order, recipe, fresh, start, given, device)
    pad, origin = len(order) - frames_of(targets), (source.fixed or span) - 1
    first = torch.stack([source.begin(t) for t in range(source.fixed or span - 1)], 1)
    for kept in range(source.fixed):
        yield FrameDone(kept, first[:, kept], {}, None)
    state = ClipState(first.shape[1], first[:, 1 - span :])
    for event in finished:
        yield event
        state = getattr(event, "state", None) or state
    evaluations = Evaluations()
    while state.transition < len(order):
        t = state.transition
        index = t - origin
        previous = state.history[:, -1] if index > 0 else None
        window = torch.cat((state.history, source.begin(t, previous)[:, None]), 1)
        windows = source.natural(t - span + 1, t)
        frame = yield from refine(window, windows, sides, recipe, index, evaluations)
        if recipe.colour.at(index) == "frame":
            frame = coloured(frame, windows, recipe)
        window = torch.cat((state.history, frame[:, None]), 1)
        judges = tuple(side.judge for side in sides)
        residuals = build_objective(windows, judges, recipe, index).residuals(window)
        state = ClipState(t + 1, window[:, 1:])
        yield FrameDone(t - pad, frame, residuals, state)
