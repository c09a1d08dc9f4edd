"""What a workflow tells while it runs, and to whom: to nobody, unless a reporter is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from stst.recipe import Recipe, value_at
from stst.storage.config import SynthesisConfig
from stst.synthesis.estimate import Estimate
from stst.synthesis.framewise import FrameDone
from stst.synthesis.refine import Step
from stst.video.frames import Footage

Item = TypeVar("Item")
Event = Step | FrameDone  # of a synthesis
Advance = Callable[[int, int], object]  # how many are done, of how many


@dataclass(frozen=True)
class FrameCount:
    """How the frames of a run are counted: what the progress bar must know."""

    frames: int  # kept
    recipe: Recipe
    given: int = 0  # of the kept ones
    shots: Sequence[range] = ()  # those that are made; none: all frames are one

    @property
    def pad(self) -> int:
        """Pad frames, which are made first and dropped."""
        return 0 if self.given or self.recipe.loop else self.recipe.pad

    @property
    def made(self) -> int:
        """Frames that a run finishes, those given among them; the very first pad is noise."""
        return self.ends[-1]

    @property
    def lengths(self) -> list[int]:
        """Frames that each shot finishes."""
        shots = self.shots or (range(self.frames),)
        return [len(shot) + max(self.pad - 1, 0) for shot in shots]

    @property
    def ends(self) -> list[int]:
        """How many frames are finished when each shot is."""
        return list(accumulate(self.lengths))

    def stage(self, event: Event) -> str:
        """What is under way at an event."""
        if isinstance(event, FrameDone):
            return self._frame(event.index)
        before = 0  # transitions of earlier shots
        for shot in self.shots or (range(self.frames),):
            if event.transition < before + len(shot) + self.pad:
                break
            before += len(shot) + self.pad
        place = f"octave {event.octave + 1}/{len(self.recipe.octaves)}, step {event.step + 1}"
        if self.recipe.whole:
            several = len(self.shots) > 1
            return f"{f'frames {shot[0] + 1}-{shot[-1] + 1}' if several else 'whole clip'}, {place}"
        index = event.transition - before + (self.given - 1 if self.given else 1 - self.pad)
        return f"{self._frame(index + shot.start if index >= 0 else index)}, {place}"

    def _frame(self, index: int) -> str:
        return f"frame {index + 1}/{self.frames}" if index >= 0 else f"pad frame {index + self.pad}"


def stages(events: Iterable[Event], plan: FrameCount) -> Iterator[tuple[str, float]]:
    """What is under way at each event, and how many frames are made, pad frames counted.

    An octave counts as its share of the pixels once it is done, however many steps it took;
    where all frames are made together, by the steps that it may take too.
    """
    octaves, made = plan.recipe.octaves, 0
    costs = [o.scale**2 * (value_at(o.steps, 0) if plan.recipe.whole else 1) for o in octaves]
    for event in events:
        if isinstance(event, FrameDone):
            made += 1
            whole = next(end for end in plan.ends if end >= made)
            yield plan.stage(event), whole if plan.recipe.whole else made
        else:
            done = sum(costs[: event.octave])
            if plan.recipe.whole:
                done += octaves[event.octave].scale ** 2 * event.step
            share = min(done / sum(costs), 1)
            whole = next((end for end in plan.ends if end > made), made) - made
            yield plan.stage(event), made + share * (whole if plan.recipe.whole else 1)


class Reporter:
    """Hears what a workflow does. This one is silent; `stst.cli.show.Terminal` prints.

    Derive from it to follow a workflow in a notebook or a window: each method may be
    overridden alone.
    """

    def say(self, text: str) -> None:
        """Hear a line: a result or a note."""

    def busy(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Hear that something of unknown length is under way; call it to say what is next."""
        return nullcontext(lambda _: None)

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Pass items on and count them."""
        yield from items

    def counted(self, text: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Hear how many are done: call it with their number and the total."""
        return nullcontext(lambda _done, _total: None)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Hear a table."""

    def announce(
        self,
        natural: Footage,
        config: SynthesisConfig,
        expected: Estimate,
        notes: list[str],
        plan: FrameCount,
    ) -> None:
        """Hear what a synthesis is about to do, and what it will take."""

    def follow(self, run: Iterable[Event], plan: FrameCount, before: int = 0) -> None:
        """Take a synthesis to its end; `before` of its frames were made earlier."""
        for _event in run:
            pass


SILENT = Reporter()
