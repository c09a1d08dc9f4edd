"""A part of a film: which frames, at which size and rate, as the command line takes it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np

from stst.errors import FramesError
from stst.studio.facts import LIMITS, Facts, instants
from stst.video.sizes import Sizing, place
from stst.video.timing import as_rate

WIDTH, FRAMES = 256, 48  # at most, by default, so that the first run is short
OPTIONS = ("width", "frames", "start", "every", "fps", "retime")


@dataclass(kw_only=True)
class Cut:
    """The frames of a film that are used.

    Parameters
    ----------
    path : Path
        The file.
    facts : Facts
        What is known of it.
    first, last : int
        First and last frame of the file, counted from 0.
    width : int
        Width in px.
    every : int, default 1
        Take every n-th frame.
    retime : str or None
        Frame rate to resample to, instead of `every`.
    fps : str or None
        Frame rate of the file, if it states none.
    """

    path: Path
    facts: Facts
    first: int
    last: int
    width: int
    every: int = 1
    retime: str | None = None
    fps: str | None = None

    @classmethod
    def default(cls, path: Path, facts: Facts) -> Self:
        """Take the first frames of a film, reduced if they are large."""
        guess = str(facts.rates[0] if facts.rates else facts.mean_rate)
        return cls(
            path=path,
            facts=facts,
            first=0,
            last=min(facts.frames, FRAMES) - 1,
            width=min(facts.size[1], WIDTH),
            retime=guess if facts.is_uneven else None,
            fps=guess if facts.needs_rate else None,
        )

    @property
    def is_whole(self) -> bool:
        """Whether all frames of the film lie in the range."""
        return self.first == 0 and self.last == self.facts.frames - 1 and not self.facts.is_cut

    def _given_rate(self) -> Fraction | None:
        return None if self.fps is None else as_rate(self.fps)

    def indices(self) -> list[int]:
        """Return the frames of the file that the clip consists of.

        Raises
        ------
        FramesError
            If a frame rate is not one.
        """
        if self.retime is None:
            self._given_rate()
            return list(range(self.first, self.last + 1, self.every))
        shown = instants(self.facts, as_rate(self.retime), self._given_rate())
        start, stop = self._instants()
        return [int(index) for index in shown[start:stop]]

    def _instants(self) -> tuple[int, int]:
        """Return the range of new frames, if the clip is resampled, that shows the old ones."""
        shown = instants(self.facts, as_rate(self.retime or ""), self._given_rate())
        start = int(np.searchsorted(shown, self.first, "left"))
        return start, max(start, int(np.searchsorted(shown, self.last, "right")))

    def rate(self) -> Fraction:
        """Return the frame rate of the clip."""
        if self.retime is not None:
            return as_rate(self.retime)
        return (self._given_rate() or self.facts.rates[0]) / self.every

    def size(self) -> tuple[int, int]:
        """Return height and width of the clip."""
        return place(self.facts.size, Sizing(width=self.width)).frame

    @property
    def problem(self) -> str | None:
        """What must be changed before the clip can be used, in words."""
        try:
            count, (height, width) = len(self.indices()), self.size()
        except FramesError as error:
            return str(error)
        if count < 2:
            return "At least 2 frames are needed. Choose a longer part."
        if count > LIMITS.frames or count * 12 * height * width > LIMITS.bytes:
            return (
                f"{count} frames of {width}x{height} px are too many to read at once. Choose fewer "
                "frames or a smaller width."
            )
        return None

    @property
    def summary(self) -> str | None:
        """Length, size and rate of the clip in words; None if it cannot be used."""
        if self.problem:
            return None
        height, width = self.size()
        count, rate = len(self.indices()), float(self.rate())
        return f"{count} frames of {width}x{height} px at {rate:.5g} frames/s"

    @property
    def selection(self) -> dict[str, Any]:
        """The clip as arguments of `stst.storage.config.Source`; empty if it cannot be used."""
        if self.problem:
            return {}
        start, count = self.first, len(self.indices())
        if self.retime is not None:
            start = self._instants()[0]
        chosen = {
            "width": None if self.width == self.facts.size[1] else self.width,
            "frames": None if self.is_whole else count,
            "start": start or None,
            "every": self.every if self.retime is None and self.every > 1 else None,
            "fps": self.fps,
            "retime": self.retime,
        }
        given = {name: value for name, value in chosen.items() if value is not None}
        return {"path": str(self.path), **given}

    @property
    def words(self) -> tuple[str, ...]:
        """The clip as words of a command; empty if it cannot be used."""
        selection = self.selection
        if not selection:
            return ()
        options = [
            word
            for name in OPTIONS
            if name in selection
            for word in (f"--{name}", str(selection[name]))
        ]
        return (selection["path"], *options)
