"""Where a film is damaged, by what FFmpeg raises, and what it logs and passes over."""

from __future__ import annotations

from collections.abc import Collection

from av.logging import get_last_error

LETTERS = 100  # of what FFmpeg says, at most


class Faults:
    """Each frame near which there was a fault, and what was said of it."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}
        self._logged, _ = get_last_error()

    def note(self, frame: int, said: str | None) -> None:
        """Keep a fault; what is said may come from the file, and is shortened."""
        self._said.setdefault(frame, "".join(filter(str.isprintable, said or "?"))[:LETTERS])

    def listen(self, frame: int, speakers: Collection[str]) -> None:
        """Keep an error that was logged since, if it is by one of `speakers`: not the sound's."""
        before, (self._logged, last) = self._logged, get_last_error()
        if last and self._logged > before and last[1] in speakers:
            self.note(frame, last[2])

    def remarks(self) -> list[str]:
        """Say how many there are, as a clause about the file."""
        return [
            f"is damaged (in {len(self._said)} places, the first near frame {frame}: {said})"
            for frame, said in list(self._said.items())[:1]
        ]
