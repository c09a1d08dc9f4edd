"""A film shot by shot: each is made as a clip of its own, and their events are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from stst.errors import Diverged, FramesError
from stst.recipe import Recipe
from stst.synthesis.framewise import ClipState, FrameDone
from stst.synthesis.refine import Step
from stst.video.frames import Footage, View
from stst.video.shots import between, find_shots

Event = Step | FrameDone
# (shot, frames made before it, its finished events) -> events, counted from the shot's beginning.
Make = Callable[[range, int, Iterator[Event]], Iterator[Event]]


def excerpts(targets: Mapping[str, Sequence[Footage]], shot: range) -> dict[str, Sequence[Footage]]:
    """The targets of one shot; a clip that stands behind several losses still is one object."""
    clips = {id(clip): clip for some in targets.values() for clip in some}
    parts = {key: part(clip, shot) for key, clip in clips.items()}
    return {loss: [parts[id(clip)] for clip in some] for loss, some in targets.items()}


def part(clip: Footage, shot: range) -> Footage:
    """The frames of a shot; the clip itself if that is all of it."""
    return clip if len(shot) == len(clip) else View(clip, shot)


def shot_by_shot(
    shots: Sequence[range],
    lengths: Sequence[int],
    make: Make,
    finished: Iterable[Event] = (),
) -> Iterator[Event]:
    """Make all shots, one after the other.

    Transitions are counted through all frames made, pad frames among them, and frames as in
    the film: a state tells by its transition alone in which shot, and where, to go on.

    Parameters
    ----------
    shots : sequence of range
        Frames of each in the natural film.
    lengths : sequence of int
        Frames made for each, pad frames included.
    make : callable
        Begins one shot.
    finished : iterable of Step and FrameDone
        Events of the same shots, stopped earlier: they come again.

    Raises
    ------
    Diverged
        As the shot does; with several, its frames are named.
    """
    left, before = iter(finished), 0
    for shot, length in zip(shots, lengths, strict=True):
        events = make(shot, before, _again(left, shot, before))
        try:
            yield from (_moved(event, shot.start, before) for event in events)
        except Diverged as error:
            if len(shots) == 1:
                raise
            raise Diverged(f"shot of frames {shot[0]}-{shot[-1]}: {error}") from error
        before += length


def _again(finished: Iterator[Event], shot: range, before: int) -> Iterator[Event]:
    """Finished events up to the last of this shot, counted from its beginning."""
    for event in finished:
        yield _moved(event, -shot.start, -before)
        if isinstance(event, FrameDone) and event.index == shot[-1]:
            return


def _moved(event: Event, frames: int, transitions: int) -> Event:
    """The same event, counted from elsewhere; pad frames stay negative."""
    if isinstance(event, Step):
        return replace(event, transition=event.transition + transitions)
    index = event.index + frames if event.index >= 0 else event.index
    state = event.state and ClipState(event.state.transition + transitions, event.state.history)
    return replace(event, index=index, state=state)


WAYS = "Set shots=ignore to go on across cuts, shots=first to make the first shot alone, or cut"
DONE = {"each": "each is made as a clip of its own", "first": "the first alone is made"}


def shots_of(targets: Sequence[Iterable[Footage]], recipe: Recipe) -> tuple[range, ...]:
    """The shots of one or many targets; one of all frames if the recipe ignores cuts.

    Parameters
    ----------
    targets : sequence of iterable of Clip or Film
        The clips behind each metamer, all of one length: a cut in any of them begins a shot.
    recipe : Recipe
        Its ``shots``.

    Raises
    ------
    FramesError
        If targets of one batch have different cuts.
    """
    clips = [list({id(clip): clip for clip in some}.values()) for some in targets]
    frames = len(clips[0][0])
    if recipe.shots == "ignore":
        return (range(frames),)
    cuts = [sorted({shot.start for clip in some for shot in find_shots(clip)}) for some in clips]
    if any(some != cuts[0] for some in cuts):
        found = "; ".join(_listed(some[1:]) for some in cuts)
        raise FramesError(
            f"clips of one batch must have their cuts in the same places, got cuts at {found}. "
            f"Make them one at a time. {WAYS} the clips at these frames."
        )
    return between(cuts[0][1:], frames)


def shots_to_make(
    shots: tuple[range, ...], recipe: Recipe, *, given: bool = False
) -> tuple[range, ...]:
    """Those of all shots that the recipe makes.

    Raises
    ------
    FramesError
        If it refuses cuts, or if a loop or a clip that goes on from `given` frames has some.
    """
    cuts = _listed([shot.start for shot in shots[1:]])
    if len(shots) == 1 or recipe.shots in ("first", "ignore"):
        return shots[:1]
    if recipe.shots == "refuse":
        raise FramesError(
            f"the clip has cuts at {cuts}, which shots=refuse does not allow. Set shots=each to "
            "make each shot as a clip of its own, or cut the clip there."
        )
    if recipe.loop or given:
        what = "a loop cannot be made of" if recipe.loop else "given frames cannot be continued by"
        raise FramesError(
            f"{what} a clip with cuts, and this one has cuts at {cuts}. {WAYS} the clip there."
        )
    return shots


def checked_shots(shots: Sequence[range], frames: int) -> tuple[range, ...]:
    """Shots that a caller names: ranges of frames, in order; FramesError if they are not that."""
    ends = [0, *(edge for shot in shots for edge in (shot.start, shot.stop)), frames]
    if not shots or ends != sorted(ends) or not all(len(s) and s.step == 1 for s in shots):
        raise FramesError(
            f"shots must be ranges of frames, in order and without overlap, of a clip of {frames}; "
            f"got {', '.join(map(str, shots)) or 'none'}. `stst.find_shots` gives such."
        )
    return tuple(shots)


def sentence(shots: Sequence[range], recipe: Recipe) -> str:
    """What is done about cuts, for people; nothing if there are none.

    Examples
    --------
    >>> sentence((range(0, 58), range(58, 121)), Recipe(octaves=[{}]))
    '2 shots (frames 0-57, 58-120): each is made as a clip of its own; --shots first, ignore or \
refuse changes that.'
    """
    if len(shots) == 1:
        return ""
    frames = ", ".join(f"{shot[0]}-{shot[-1]}" for shot in shots)
    *others, last = (way for way in ("each", "first", "ignore", "refuse") if way != recipe.shots)
    return (
        f"{len(shots)} shots (frames {frames}): {DONE[recipe.shots]}; --shots "
        f"{', '.join(others)} or {last} changes that."
    )


def _listed(cuts: Sequence[int]) -> str:
    return f"frame {', '.join(map(str, cuts))}" if cuts else "none"
