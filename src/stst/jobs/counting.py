"""How the frames of a run are counted."""

from __future__ import annotations

from dataclasses import dataclass

from stst.recipe import Recipe
from stst.synthesis.clip import FrameDone
from stst.synthesis.transition import Step


@dataclass(frozen=True)
class Plan:
    """How the frames of a run are counted: what the progress bar must know."""

    frames: int  # kept
    recipe: Recipe
    given: int = 0  # of the kept ones

    @property
    def pad(self) -> int:
        """Pad frames, which are made first and dropped."""
        return 0 if self.given or self.recipe.loop else self.recipe.pad

    @property
    def made(self) -> int:
        """Frames that a run finishes, those given among them; the very first pad is noise."""
        return self.frames + max(self.pad - 1, 0)

    def stage(self, event: Step | FrameDone) -> str:
        """What is under way at an event."""
        if isinstance(event, FrameDone):
            return self._frame(event.index)
        place = f"octave {event.octave + 1}/{len(self.recipe.octaves)}, step {event.step + 1}"
        if self.recipe.whole:
            return f"whole clip, {place}"
        first = self.given - 1 if self.given else 1 - self.pad
        return f"{self._frame(first + event.transition)}, {place}"

    def _frame(self, index: int) -> str:
        return f"frame {index + 1}/{self.frames}" if index >= 0 else f"pad frame {index + self.pad}"
