"""Progress of workflows: the `Reporter` that receives it, and the counting of frames."""

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
Advance = Callable[[int, int], object]  # called with the number done and the total


@dataclass(frozen=True)
class FrameCount:
    """The numbers of frames of a run, for its progress bar."""

    frames: int  # kept
    recipe: Recipe
    given: int = 0  # kept frames that are given
    shots: Sequence[range] = ()  # shots to be made; none: all frames are one shot

    @property
    def pad(self) -> int:
        """Number of pad frames, which are made first and dropped."""
        return 0 if self.given or self.recipe.loop else self.recipe.pad

    @property
    def made(self) -> int:
        """Number of frames that a run finishes, with those given; the first pad frame is noise."""
        return self.ends[-1]

    @property
    def lengths(self) -> list[int]:
        """Number of frames that each shot finishes."""
        shots = self.shots or (range(self.frames),)
        return [len(shot) + max(self.pad - 1, 0) for shot in shots]

    @property
    def ends(self) -> list[int]:
        """Number of finished frames at the end of each shot."""
        return list(accumulate(self.lengths))

    def stage(self, event: Event) -> str:
        """Describe the current stage: frame, octave and step."""
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
    """Yield for each event the current stage and the number of frames made, with pad frames.

    A finished octave counts as its share of the pixels, however many steps it took. If all frames
    are made together, it is weighted by its maximum number of steps too.
    """
    octaves, count = plan.recipe.octaves, 0
    costs = [o.scale**2 * (value_at(o.steps, 0) if plan.recipe.whole else 1) for o in octaves]
    for event in events:
        if isinstance(event, FrameDone):
            count += 1
            whole = next(end for end in plan.ends if end >= count)
            yield plan.stage(event), whole if plan.recipe.whole else count
        else:
            done = sum(costs[: event.octave])
            if plan.recipe.whole:
                done += octaves[event.octave].scale ** 2 * event.step
            share = min(done / sum(costs), 1)
            whole = next((end for end in plan.ends if end > count), count) - count
            yield plan.stage(event), count + share * (whole if plan.recipe.whole else 1)


class Reporter:
    """Receive the progress and results of a workflow.

    This class does nothing. The command line uses a subclass that prints. To follow a workflow in
    a notebook or a window, make a subclass and override any of its methods.

    Examples
    --------
    >>> class Printer(Reporter):
    ...     def say(self, text):
    ...         print(text)
    >>> Printer().say("Written to out.")
    Written to out.
    """

    def say(self, text: str) -> None:
        """Receive a line of text: a result or a note.

        Parameters
        ----------
        text : str
            The line.

        Examples
        --------
        >>> Reporter().say("Written to out.")
        """

    def busy(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Receive the start of work of unknown length.

        Parameters
        ----------
        text : str
            What is being done.

        Returns
        -------
        context manager
            It is left when the work ends. It gives a function that the workflow calls with a new
            text when something else is being done.

        Examples
        --------
        >>> with Reporter().busy("reading ...") as update:
        ...     update("matching ...")
        """
        return nullcontext(lambda _: None)

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Yield the items of a workflow, and count them.

        Parameters
        ----------
        items : iterable
            Items that the workflow is working through.
        text : str
            What is being done.
        total : int
            Number of items.

        Yields
        ------
        object
            The same items, in the same order.

        Examples
        --------
        >>> list(Reporter().track(["a", "b"], "measuring", 2))
        ['a', 'b']
        """
        yield from items

    def counted(self, text: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Receive the start of work that is counted.

        Parameters
        ----------
        text : str
            What is being done.
        total : int, optional
            Number of units of work, if it is known.

        Returns
        -------
        context manager
            It is left when the work ends. It gives a function that the workflow calls with the
            number done and the total.

        Examples
        --------
        >>> with Reporter().counted("films", 2) as advance:
        ...     advance(1, 2)
        """
        return nullcontext(lambda _done, _total: None)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Receive a table of results.

        Parameters
        ----------
        heads : sequence of str
            Headings of the columns.
        rows : iterable of sequence of str
            Cells of each row.

        Examples
        --------
        >>> Reporter().table(["clip", "MSE"], [["fish", "0.01"]])
        """

    def announce(
        self,
        natural: Footage,
        config: SynthesisConfig,
        expected: Estimate,
        notes: list[str],
        plan: FrameCount,
    ) -> None:
        """Receive what a synthesis is about to do, before its first step.

        Parameters
        ----------
        natural : Clip or Film
            The natural clip.
        config : SynthesisConfig
            The settings.
        expected : Estimate
            Expected time (s) and memory (bytes).
        notes : list of str
            Stand-in weights, and layers whose receptive fields are too large.
        plan : FrameCount
            Numbers of frames.
        """

    def follow(self, run: Iterable[Event], plan: FrameCount, before: int = 0) -> None:
        """Run a synthesis to its end.

        An override must iterate over all events, because the synthesis advances with them.

        Parameters
        ----------
        run : iterable of Step or FrameDone
            Events of the synthesis.
        plan : FrameCount
            Numbers of frames.
        before : int, default 0
            Number of frames made in earlier sessions.

        Examples
        --------
        >>> plan = FrameCount(2, Recipe(octaves=[{"steps": 1}], pad=1))
        >>> Reporter().follow([], plan)
        """
        for _event in run:
            pass


SILENT = Reporter()
