"""Ask the decoding process for frames, and outlive its crashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Any

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


DECODER = (sys.executable, "-P", "-m", "stst.video.decode")  # -P: no code from the cwd
PACKAGES = str(Path(__file__).parents[2])


@dataclass(frozen=True)
class Answer:
    """What the decoding process found.

    Parameters
    ----------
    frames : int
        How many it wrote.
    size : tuple of int
        Their height and width in px.
    declared : int or None
        Frames that the source says it has.
    rate : Fraction or None
        The frame rate that fits the times of the frames.
    remarks : tuple of str
        What is wrong with the frames, as clauses about the file.
    """

    frames: int
    size: tuple[int, int]
    declared: int | None
    rate: Fraction | None
    remarks: tuple[str, ...]


def ask(request: Request, out: FileIO) -> Answer:
    """Decode in a process of its own, into the file `out`: raw float32, (T, 3, H, W).

    Raises
    ------
    FramesError
        If the process refuses the file, crashes or takes too long.
    """
    said = _run(request, out)
    count, _, height, width = said["shape"]
    rate = Fraction(said["rate"]) if said["rate"] else None
    return Answer(count, (height, width), said["declared"], rate, tuple(said["remarks"]))


def _run(request: Request, out: FileIO) -> dict[str, Any]:
    path, limits = request.path, request.limits
    paths = (PACKAGES, os.environ.get("PYTHONPATH"))
    try:
        done = subprocess.run(
            DECODER,
            input=json.dumps(asdict(request)),
            stdout=out,  # the one file that every system hands down to a process
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=limits.seconds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
    except subprocess.TimeoutExpired:
        raise FramesError(
            f"{path} was not decoded within {limits.seconds:g} s. Read a part of it "
            f"(frames=) or raise Limits.seconds."
        ) from None
    if done.returncode:
        raise FramesError(
            f"{path}: the decoder crashed ({_cause(done)}); the file is probably "
            f"damaged. Encode it anew, for example with ffmpeg, and try again."
        )
    said: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    if "error" in said:
        raise FramesError(f"{path} {said['error']}")
    return said


def _cause(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
