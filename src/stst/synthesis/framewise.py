"""Frame-by-frame synthesis of a clip, shot by shot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stst.errors import Diverged, FramesError, RecipeError
from stst.recipe import Recipe
from stst.synthesis.refine import Evaluations, Step, refine, transfer_colours
from stst.synthesis.starts import FrameSource
from stst.synthesis.stream_losses import StreamLosses, build_objective
from stst.video.film import View
from stst.video.frames import Footage
from stst.video.shots import find_shots, split_at


@dataclass(frozen=True)
class ClipState:
    """State after a finished frame; enough to resume.

    Parameters
    ----------
    transition : int
        Next frame to make, from 0, pad frames included.
    history : Tensor
        Last finished frames, (B, T - 1, 3, H, W), RGB in [0, 1].
    """

    transition: int
    history: Tensor


@dataclass(frozen=True)
class FrameDone:
    """Event: a finished frame of each metamer.

    Parameters
    ----------
    index : int
        Index among the kept frames; negative for a pad frame.
    frame : Tensor
        Frames, RGB in [0, 1], (B, 3, H, W).
    residuals : dict of str to Tensor
        ``loss/layer`` -> relative error to the full-size target, (B,). Empty for given frames.
    state : ClipState or None
        State to resume from. None if frames are not made one after the other.
    """

    index: int
    frame: Tensor
    residuals: dict[str, Tensor]
    state: ClipState | None


Event = Step | FrameDone


def frame_order(
    frames: int,
    recipe: Recipe,
    span: int = 2,
    *,
    given: int | None = None,
    to_and_fro: bool = False,
) -> list[int]:
    """Index of the natural frame for each frame made of a clip with `frames` frames.

    Pad frames come first, unless frames are given or the clip is a loop. Streams see windows of
    `span` frames, so the first ``span - 1`` frames made are noise. With `to_and_fro`, clips
    shorter than their padding are allowed: pad frames also reverse at the last frame.
    """
    if given is not None and (recipe.loop or not span - 1 <= given < frames):
        raise FramesError(
            f"{given} frame(s) are given for a clip of {frames}. Give at least {span - 1} and "
            "fewer than all; a loop takes none, because it has no beginning."
        )
    if given is not None or recipe.loop:
        if frames < span:
            raise FramesError(
                f"a loop needs at least {span} frames here, got {frames}. Use a longer clip."
            )
        return list(range(frames))
    if recipe.pad < span - 1:
        raise RecipeError(
            f"pad={recipe.pad} is too small: the first {span - 1} frame(s) made are noise "
            f"and must be dropped. Set pad={span - 1} or more."
        )
    if frames <= recipe.pad and not to_and_fro:
        less = f" or set pad={frames - 1}" if frames >= span else ""
        raise FramesError(
            f"{frames} frame(s) are too few for pad={recipe.pad}: the clip needs at least "
            f"{recipe.pad + 1}. Use more frames{less}."
        )
    last = frames - 1
    pad = [last - abs(last - index % max(2 * last, 1)) for index in range(1, recipe.pad + 1)]
    return (pad if recipe.pad_order == "authors" else pad[::-1]) + list(range(frames))


def count_events(order: Sequence[int], recipe: Recipe, span: int, fixed: int) -> int:
    """Count steps and finished frames; with a stopping rule, their maximum."""
    frames = len(order) - (0 if recipe.loop else fixed or span - 1)
    first = 1 if fixed else 0
    transitions = range(first, first + frames) if recipe.whole is None else range(1)
    return recipe.count_steps(transitions) + frames + fixed


def synthesize_framewise(
    source: FrameSource,
    stream_losses: Sequence[StreamLosses],
    *,
    span: int = 2,
    finished: Iterable[Event] = (),
) -> Iterator[Event]:
    """Make all frames in order: the steps of a frame, then the frame.

    Streams see windows of `span` frames. `finished` are earlier events of the same frames, from
    the first state on; they are repeated, and the remaining events follow.
    """
    recipe, order, fixed = source.recipe, source.order, source.fixed
    first = torch.stack([source.begin(t) for t in range(fixed or span - 1)], 1)
    for kept in range(fixed):
        yield FrameDone(kept, first[:, kept], {}, None)
    state = ClipState(first.shape[1], first[:, 1 - span :])
    for event in finished:
        yield event
        state = getattr(event, "state", None) or state
    evaluations = Evaluations()
    while state.transition < len(order):
        t = state.transition
        index = t + 1 - (fixed or span)
        previous = state.history[:, -1] if index > 0 else None
        window = torch.cat((state.history, source.begin(t, previous)[:, None]), 1)
        windows = source.natural(t - span + 1, t)
        frame = yield from refine(window, windows, stream_losses, recipe, index, evaluations)
        if recipe.colour.at(index) == "frame":
            frame = transfer_colours(frame, windows, recipe)
        window = torch.cat((state.history, frame[:, None]), 1)
        exact = [losses.in_float32 for losses in stream_losses]
        residuals = build_objective(windows, exact, recipe, index).residuals(window)
        state = ClipState(t + 1, window[:, 1:])
        yield FrameDone(t - source.pad, frame, residuals, state)


# (shot, frames made before it, its finished events) -> events, numbered from the shot's start.
Make = Callable[[range, int, Iterator[Event]], Iterator[Event]]


def shot_targets(
    targets: Mapping[str, Sequence[Footage]], shot: range
) -> dict[str, Sequence[Footage]]:
    """Targets of one shot. A clip shared by several losses remains one object."""
    parts = {id(clip): excerpt(clip, shot) for clips in targets.values() for clip in clips}
    return {loss: [parts[id(clip)] for clip in clips] for loss, clips in targets.items()}


def excerpt(clip: Footage, shot: range) -> Footage:
    """Frames of a shot; the clip itself if the shot is the whole clip."""
    return clip if len(shot) == len(clip) else View(clip, shot)


def shot_by_shot(
    shots: Sequence[range],
    lengths: Sequence[int],
    make: Make,
    finished: Iterable[Event] = (),
) -> Iterator[Event]:
    """Make all shots in order; `lengths` are their frames made, pad frames included.

    Transitions are numbered over all frames made, frames as in the whole clip. `finished` events
    are repeated. With several shots a Diverged error names the shot.
    """
    past_events, before = iter(finished), 0
    for shot, length in zip(shots, lengths, strict=True):
        events = make(shot, before, _events_of_shot(past_events, shot, before))
        try:
            yield from (_moved(event, shot.start, before) for event in events)
        except Diverged as error:
            if len(shots) == 1:
                raise
            raise Diverged(f"shot of frames {shot[0]}-{shot[-1]}: {error}") from error
        before += length


def _events_of_shot(finished: Iterator[Event], shot: range, before: int) -> Iterator[Event]:
    """Finished events up to the last one of this shot, numbered from its start."""
    for event in finished:
        yield _moved(event, -shot.start, -before)
        if isinstance(event, FrameDone) and event.index == shot[-1]:
            return


def _moved(event: Event, frames: int, transitions: int) -> Event:
    """Renumber an event; pad frames stay negative."""
    if isinstance(event, Step):
        return replace(event, transition=event.transition + transitions)
    index = event.index + frames if event.index >= 0 else event.index
    state = event.state and ClipState(event.state.transition + transitions, event.state.history)
    return replace(event, index=index, state=state)


ADVICE = "Set shots=ignore to continue across cuts, shots=first to make only the first shot, or cut"
DONE = {"each": "each is made separately", "first": "only the first is made"}


def common_shots(targets: Sequence[Iterable[Footage]], recipe: Recipe) -> tuple[range, ...]:
    """Find the shots of each metamer's targets; FramesError if metamers differ.

    A cut in any target starts a shot. If the recipe ignores cuts, one shot of all frames.
    """
    distinct = [list({id(clip): clip for clip in clips}.values()) for clips in targets]
    frames = len(distinct[0][0])
    if recipe.shots == "ignore":
        return (range(frames),)
    cuts = [sorted({s.start for clip in clips for s in find_shots(clip)}) for clips in distinct]
    if any(starts != cuts[0] for starts in cuts):
        listed = "; ".join(_listed(starts[1:]) for starts in cuts)
        raise FramesError(
            f"clips of one batch must have cuts at the same frames, got cuts at {listed}. "
            f"Make them one at a time. {ADVICE} the clips at these frames."
        )
    return split_at(cuts[0][1:], frames)


def select_shots(
    shots: tuple[range, ...], recipe: Recipe, *, given: bool = False
) -> tuple[range, ...]:
    """Select the shots that the recipe makes; FramesError if cuts are not allowed."""
    cuts = _listed([shot.start for shot in shots[1:]])
    if len(shots) == 1 or recipe.shots in ("first", "ignore"):
        return shots[:1]
    if recipe.shots == "refuse":
        raise FramesError(
            f"the clip has cuts at {cuts}, which shots=refuse does not allow. Set shots=each to "
            "make each shot separately, or cut the clip there."
        )
    if recipe.loop or given:
        what = "loops cannot be made" if recipe.loop else "given frames cannot be continued"
        raise FramesError(
            f"{what} with cuts, and this clip has cuts at {cuts}. {ADVICE} the clip there."
        )
    return shots


def check_shots(shots: Sequence[range], frames: int) -> tuple[range, ...]:
    """Check shots given by a caller; FramesError unless they are ranges in order."""
    ends = [0, *(edge for shot in shots for edge in (shot.start, shot.stop)), frames]
    if not shots or ends != sorted(ends) or not all(len(s) and s.step == 1 for s in shots):
        raise FramesError(
            f"shots must be ranges of frames, in order and without overlap, within {frames} "
            f"frames; got {', '.join(map(str, shots)) or 'none'}. `stst.find_shots` returns such "
            "ranges."
        )
    return tuple(shots)


def describe_shots(shots: Sequence[range], recipe: Recipe) -> str:
    """Describe how cuts are handled; empty without cuts."""
    if len(shots) == 1:
        return ""
    frames = ", ".join(f"{shot[0]}-{shot[-1]}" for shot in shots)
    *others, last = (way for way in ("each", "first", "ignore", "refuse") if way != recipe.shots)
    return (
        f"{len(shots)} shots (frames {frames}): {DONE[recipe.shots]}. To change this: --shots "
        f"{', '.join(others)} or {last}."
    )


def _listed(cuts: Sequence[int]) -> str:
    return f"frame {', '.join(map(str, cuts))}" if cuts else "none"
