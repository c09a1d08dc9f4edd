"""What is asked of the decoding process, and how much it may cost."""

from __future__ import annotations

from dataclasses import dataclass

from stst.errors import FramesError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what is read, so that no file can take the machine.

    Checked against what a file declares, before decoding, and again while decoding,
    because a file may lie.

    Parameters
    ----------
    side : int
        Longest side of a frame as stored, in px.
    frames : int
        Most frames returned.
    bytes : int
        Most bytes returned: frames x 3 x height x width x 4, on disk, and with
        `read_video` in memory too.
    memory : int
        Address space of the decoding process, in bytes (not enforced on Windows).
    seconds : float
        Time for decoding, after which the decoding process is killed.

    Examples
    --------
    >>> Limits(seconds=60).side
    4096
    """

    side: int = 4096
    frames: int = 20_000
    bytes: int = 8 * 2**30
    memory: int = 6 * 2**30
    seconds: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which frames of which file, and how wide: see `stst.video.read.read_video`.

    Raises
    ------
    FramesError
        If no frame could be chosen so.

    Examples
    --------
    >>> Request(path="clip.mp4", start=2, frames=3, every=4).indices(100)
    range(2, 14, 4)
    """

    path: str
    width: int | None = None
    start: int = 0
    frames: int | None = None
    every: int = 1
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.start < 0 or self.every < 1 or (self.frames is not None and self.frames < 1):
            raise FramesError(
                f"start must be 0 or more, every and frames 1 or more; got "
                f"start={self.start}, every={self.every}, frames={self.frames}."
            )

    def indices(self, length: int) -> range:
        """Give the frames chosen from a source of `length` frames."""
        chosen = range(self.start, length, self.every)
        return chosen if self.frames is None else chosen[: self.frames]
