"""Costs of whole clips in seconds, compared per frame and for equal numbers of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from race import Frame

HEAD = ("program", "kept frames", "pad frames made", "s", "s a kept frame", "s a frame made")


@dataclass(frozen=True)
class Cost:
    """Seconds of the kept frames, and of the pad frames made before them."""

    kept: int
    pads: int
    kept_seconds: float
    pad_seconds: float

    @classmethod
    def measured(cls, frames: Sequence[Frame]) -> Cost:
        """Return the cost of measured frames; those with an index below 0 are pad frames."""
        kept = [frame.seconds for frame in frames if frame.index >= 0]
        pads = [frame.seconds for frame in frames if frame.index < 0]
        return cls(len(kept), len(pads), sum(kept), sum(pads))

    @classmethod
    def computed(cls, seconds: float, kept: int, pad: int) -> Cost:
        """Return the cost of frames of equal duration; the first pad frame is free noise."""
        return cls(kept, pad - 1, kept * seconds, (pad - 1) * seconds)

    @property
    def total(self) -> float:
        """Seconds of the whole clip, with pad frames."""
        return self.kept_seconds + self.pad_seconds

    @property
    def a_kept_frame(self) -> float:
        """Seconds per kept frame, without those of the pad frames."""
        return self.kept_seconds / self.kept

    @property
    def a_frame_made(self) -> float:
        """Seconds per frame, with pad frames counted like the others."""
        return self.total / (self.kept + self.pads)

    def row(self, name: str) -> tuple[str, ...]:
        """Return the cells of `HEAD`."""
        return (
            name,
            f"{self.kept}",
            f"{self.pads}",
            f"{self.total:.1f}",
            f"{self.a_kept_frame:.2f}",
            f"{self.a_frame_made:.2f}",
        )


def ratios(theirs: Cost, ours: Cost) -> dict[str, float]:
    """Return how many times less time ours takes, for the same number of kept frames."""
    if theirs.kept != ours.kept:
        raise ValueError(f"{theirs.kept} kept frames cannot be compared with {ours.kept}")
    return {
        "a kept frame, pad frames left out": theirs.a_kept_frame / ours.a_kept_frame,
        "a frame made, pad frames counted alike": theirs.a_frame_made / ours.a_frame_made,
        f"{ours.kept} kept frames, with the pad frames of each": theirs.total / ours.total,
    }
