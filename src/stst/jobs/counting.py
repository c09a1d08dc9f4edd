"""How the frames of a run are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from stst.recipe import Recipe
from stst.synthesis.clip import FrameDone
from stst.synthesis.transition import Step


@dataclass(frozen=True)
class Plan:
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

    def stage(self, event: Step | FrameDone) -> str:
        """What is under way at an event."""
        if isinstance(event, FrameDone):
            return self._frame(event.index)
        shot, before = self._shot(event.transition)
        place = f"octave {event.octave + 1}/{len(self.recipe.octaves)}, step {event.step + 1}"
        if self.recipe.whole:
            several = len(self.shots) > 1
            return f"{f'frames {shot[0] + 1}-{shot[-1] + 1}' if several else 'whole clip'}, {place}"
        index = event.transition - before + (self.given - 1 if self.given else 1 - self.pad)
        return f"{self._frame(index + shot.start if index >= 0 else index)}, {place}"

    def _shot(self, transition: int) -> tuple[range, int]:
        """The shot of a transition, and how many frames were made before it."""
        before = 0
        for shot in self.shots or (range(self.frames),):
            end = before + len(shot) + self.pad
            if transition < end:
                break
            before = end
        return shot, before

    def _frame(self, index: int) -> str:
        return f"frame {index + 1}/{self.frames}" if index >= 0 else f"pad frame {index + self.pad}"
