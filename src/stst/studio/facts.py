"""What is known of a film before it is cut: size, frames, their times, and what is wrong with it.

Read in a process of its own, ``python -m stst.studio.facts``, because damaged files can crash the
decoder. Frames are decoded but neither converted nor kept, so that long films are read quickly.
Imports no torch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stst.errors import FramesError
from stst.video.files import PACKAGES, Limits, find, stamp
from stst.video.timing import Times, as_rate, shown_at

READER = (sys.executable, "-P", "-m", "stst.studio.facts")
KEPT = 64  # films of which facts are kept
MOST_INSTANTS = 1_000_000  # of a resampled film
LIMITS = Limits()


@dataclass(frozen=True, eq=False, kw_only=True)
class Facts:
    """What is known of a film.

    Parameters
    ----------
    frames : int
        Number of frames that can be chosen.
    size : tuple of int
        Height and width in px.
    times : Times or None
        Onset of each frame; None if the file states no times.
    rates : tuple of Fraction
        Constant frame rates that fit the times: one, none, or several that cannot be told apart.
    remarks : tuple of str
        Clauses about the file.
    is_cut : bool
        Whether the film is longer than the number of frames that can be chosen.
    """

    frames: int
    size: tuple[int, int]
    times: Times | None
    rates: tuple[Fraction, ...]
    remarks: tuple[str, ...]
    is_cut: bool = False

    @cached_property
    def seconds(self) -> list[Fraction] | None:
        """Onset of each frame in s after the first; None if unknown."""
        return self.times.in_order() if self.times else None

    @property
    def is_uneven(self) -> bool:
        """Whether the times are known and fit no constant rate."""
        return self.seconds is not None and not self.rates

    @property
    def needs_rate(self) -> bool:
        """Whether the user must state the frame rate of the file."""
        return len(self.rates) != 1 and not self.is_uneven

    @property
    def mean_rate(self) -> int:
        """Whole frames per second on average; 25 if unknown."""
        seconds = self.seconds
        return max(1, round((len(seconds) - 1) / seconds[-1])) if seconds and seconds[-1] else 25


@lru_cache(maxsize=8)
def instants(facts: Facts, rate: Fraction, given: Fraction | None) -> npt.NDArray[np.int64]:
    """Return the frame that is shown at each instant of a new frame rate, as the reader does.

    Parameters
    ----------
    facts : Facts
        The film.
    rate : Fraction
        New frame rate.
    given : Fraction or None
        Frame rate that the user stated.

    Raises
    ------
    FramesError
        If there are too many.
    """
    constant = facts.rates[0] if len(facts.rates) == 1 else given
    if constant:
        starts = [index / constant for index in range(facts.frames)]
        end = facts.frames / constant
    elif facts.times is not None:
        starts, end = facts.times.starts_and_end(rate)
    else:
        raise FramesError("the file states no times. State its frame rate.")
    if end * rate > MOST_INSTANTS:
        raise FramesError(f"at {float(rate):g} frames/s the film is too long. Use a lower rate.")
    return shown_at(starts, end, rate)


_known: OrderedDict[tuple[int, int, int], Facts] = OrderedDict()
_lock = threading.Lock()


def known_facts(path: Path) -> Facts | None:
    """Return the facts of a file if they have been read before."""
    try:
        return _known.get(stamp(path))
    except OSError:
        return None


def read_facts(path: Path, name: str | None = None) -> Facts:
    """Decode a film for its facts; this may take minutes.

    Parameters
    ----------
    path : Path
        The file.
    name : str, optional
        Name of the file for its type and in errors, while it is stored under another one.

    Raises
    ------
    FramesError
        If it cannot be read, or has fewer than two frames.
    """
    name = name or path.name
    found = find(path)
    state = stamp(found)
    if state not in _known:
        facts = _answer(path, name)
        with _lock:
            _known[state] = facts
            while len(_known) > KEPT:
                _known.popitem(last=False)
    return _known[state]


def _answer(path: Path, name: str) -> Facts:
    paths = (PACKAGES, os.environ.get("PYTHONPATH"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    question = json.dumps({"path": str(path), "name": name})
    try:
        process = subprocess.run(
            READER,
            input=question,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMITS.seconds,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise FramesError(
            f"{name} was not decoded within {LIMITS.seconds:g} s. Use a part of it."
        ) from None
    if process.returncode:
        raise FramesError(
            f"{name}: the decoder crashed; the file is probably damaged. Re-encode it, for "
            "example with ffmpeg, and try again."
        )
    answer = json.loads(process.stdout.strip().splitlines()[-1])
    if "error" in answer:
        raise FramesError(f"{name} {answer['error']}")
    return _facts(answer)


def _facts(answer: dict[str, Any]) -> Facts:
    times = answer["times"]
    if times is not None:
        times = Times(
            [None if start is None else Fraction(start) for start in times["starts"]],
            tick=Fraction(times["tick"]),
            stated=tuple(map(Fraction, times["stated"])),
            end=None if times["end"] is None else Fraction(times["end"]),
            whole=times["whole"],
        )
    return Facts(
        frames=answer["frames"],
        size=tuple(answer["size"]),
        times=times,
        rates=tuple(map(as_rate, answer["rates"])),
        remarks=tuple(answer["remarks"]),
        is_cut=answer["is_cut"],
    )


def _look(path: Path, name: str) -> dict[str, Any]:
    """Decode a film in this process."""
    from stst.video.decode import Array, source_for

    def source() -> Any:  # noqa: ANN401
        is_array = Path(name).suffix.lower() == ".npy"
        return Array(path, LIMITS) if is_array else source_for(path, LIMITS)

    whole = source()
    starts = list(islice(whole.skim(), LIMITS.frames + 1))
    times, remarks = whole.times(), whole.remarks()
    rates, declared = whole.rates(), (whole.declared or 0) - whole.hidden
    again = source()  # after the times, because FFmpeg counts the errors of all open files
    first = next(iter(again), None)
    count = min(len(starts), LIMITS.frames)
    if first is None or count == 0:
        raise FramesError("holds no decodable frame; it is probably damaged. Copy it again.")
    if count == 1:
        raise FramesError("holds one frame, and at least 2 are needed. Use a longer film.")
    is_cut = len(starts) > count
    if declared > count and rates and not is_cut:
        remarks.append(f"gave {count} frames, {declared - count} fewer than it declares")
    return {
        "frames": count,
        "size": first.shape[:2],
        "times": times and asdict(times) | {"starts": list(times.starts)[:count]},
        "rates": rates,
        "remarks": list(dict.fromkeys([*remarks, *again.remarks()])),
        "is_cut": is_cut,
    }


def main() -> None:
    """Answer the question on stdin."""
    import av
    import cv2

    from stst.video import decode

    question = json.load(sys.stdin)
    decode._bound_memory(LIMITS.memory)
    av.logging.set_level(av.logging.PANIC)  # prints nothing, but errors are counted
    answer: dict[str, Any]
    try:
        answer = _look(Path(question["path"]), question["name"])
    except FramesError as error:
        answer = {"error": str(error)}
    except (MemoryError, ImportError, cv2.error):
        answer = {"error": "needs more memory than the reader may use."}
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        answer = {"error": f"is not a video that can be decoded ({reason})."}
    except OSError as error:
        answer = {"error": f"could not be read ({error.strerror or error})."}
    print("\n" + json.dumps(answer, default=str))  # fractions as text


if __name__ == "__main__":
    main()
