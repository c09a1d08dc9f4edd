"""A film shot by shot: each is made as a clip of its own, and their events are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from stst.errors import Diverged
from stst.synthesis.clip import ClipState, FrameDone
from stst.synthesis.transition import Step
from stst.video.frames import Excerpt, Footage

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
    return clip if len(shot) == len(clip) else Excerpt(clip, shot)


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
