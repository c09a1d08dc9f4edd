"""The decoding process: ``python -m stst.video.decode`` with one request as JSON on stdin.

Writes frames to stdout, which is an open file, as raw float32, (T, 3, H, W). The last line of
stderr describes them as JSON. Decoding runs in its own process because a damaged file can crash
FFmpeg, exhaust memory or never end, and none of these can be caught. Imports no torch, to start
fast.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import av
import cv2
import numpy as np
from av.error import FFmpegError

from stst.errors import FramesError
from stst.video.container import check_frame_size
from stst.video.files import Limits, Request
from stst.video.images import Animation, Folder
from stst.video.kinds import check_kind, first_bytes, is_picture
from stst.video.pixels import Pixels, channels_last, to_unit
from stst.video.reader import FrameReader, Video
from stst.video.sizes import place
from stst.video.timing import Resampling, resample, shown_at


def decode(request: Request, out: BinaryIO) -> dict[str, object]:
    """Write the requested frames and return what is known about them."""
    limits = request.limits
    # Times first, because FFmpeg counts the errors of all files open in a process.
    choice = _choose_by_time(request, Fraction(request.retime)) if request.retime else None
    source = source_for(Path(request.path), limits)
    choice = choice or _choose_in_turn(request, source.declared or 0)
    if choice.need > limits.frames:
        raise _too_long(limits, f"it declares {choice.need} frames to read")
    shape, stored, count = None, None, 0
    for index, pixels in enumerate(islice(source, choice.stop)):
        stored = stored or pixels.shape
        if pixels.shape != stored:
            raise FramesError(
                f"changes size at frame {index}, from {_size(stored)} to "
                f"{_size(pixels.shape)} px. Read frames of one size (start=, frames=), or "
                "re-encode it at one size."
            )
        if not (copies := choice.copies(index)):
            continue
        placement = place(pixels.shape[:2], request.sizing)
        check_frame_size(placement.frame[1], placement.frame[0], limits)
        pixels = placement.apply(pixels)
        if shape is None:
            shape = pixels.shape
            _check_room(choice.need * pixels.nbytes, out)
        count += copies
        if count > limits.frames or count * pixels.nbytes > limits.bytes:
            raise _too_long(limits, f"more than {count - copies} frames were decoded")
        for _ in range(copies):
            out.write(np.ascontiguousarray(pixels.transpose(2, 0, 1)).data)
    times, rates = source.times(), source.rates()
    return {
        "shape": (count, 3, *shape[:2]) if shape else (0, 3, 0, 0),
        "declared": source.declared,
        "missing": choice.missing((source.declared or 0) - source.hidden, count),
        "rates": list(map(str, rates)),
        "uneven": times.unevenness() if times and not rates else "",
        "remarks": source.remarks(),
        "resampling": choice.resampling and vars(choice.resampling),
    }


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which frames of a source to write."""

    need: int  # number of frames to write, as far as known
    stop: int  # number of frames to decode
    copies: Callable[[int], int]  # how often to write a frame
    missing: Callable[[int, int], int]  # missing frames, given the frames shown and written
    resampling: Resampling | None = None


def _choose_in_turn(request: Request, declared: int) -> Choice:
    chosen = request.indices(sys.maxsize)
    return Choice(
        need=len(request.indices(declared)),
        stop=chosen.stop,
        copies=chosen.count,
        missing=lambda shown, written: len(request.indices(shown)) - written,
    )


def _choose_by_time(request: Request, rate: Fraction) -> Choice:
    """Choose the frames shown at the requested instants, after decoding once for the times."""
    source = source_for(Path(request.path), request.limits)
    instants = request.indices(sys.maxsize)
    enough = (instants.stop + 2) / rate  # two instants more than needed, because times are rounded
    skimmed = list[Fraction | None]()
    for time in source.skim():
        skimmed.append(time)
        if time is not None and skimmed[0] is not None and time - skimmed[0] > enough:
            break
    count = len(skimmed)
    times, rates = source.times(), source.rates()
    constant = rates[0] if len(rates) == 1 else request.frame_rate and Fraction(request.frame_rate)
    if constant:
        starts, end = [index / constant for index in range(count)], count / constant
    elif times is None:
        raise FramesError(
            "does not state the times of its frames, so that it cannot be resampled by time. State "
            "the frame rate: frame_rate=25 in Python, --fps 25 on the command line."
        )
    else:
        starts, end = times.starts_and_end(rate)
    end = min(end, instants.stop / rate)
    if len(request.indices(math.ceil(end * rate))) > request.limits.frames:
        raise _too_long(request.limits, f"it lasts {float(end):.4g} s at {rate} frames/s")
    shown = shown_at(starts, end, rate)
    picked, resampling = resample(shown, request.indices(len(shown)), rate)
    return Choice(
        need=len(picked),
        stop=max(picked, default=-1) + 1,
        copies=Counter(picked).__getitem__,
        missing=lambda shown, _: shown - count if request.frames is None else 0,
        resampling=resampling,
    )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _check_room(need: int, out: BinaryIO) -> None:
    free = shutil.disk_usage(out.fileno()).free
    if need > free:
        raise FramesError(
            f"is too long: its frames need {need / 1e9:.3g} GB in the temporary folder, which has "
            f"{free / 1e9:.3g} GB free. Read a part of it (frames=, every=, width=), or set the "
            "environment variable TMPDIR to another folder."
        )


def _too_long(limits: Limits, reason: str) -> FramesError:
    return FramesError(
        f"is too long: {reason}; the limits are {limits.frames} frames and "
        f"{limits.bytes / 2**30:.3g} GiB. Read a part of it (frames=, every=, width=) or "
        f"raise Limits."
    )


def source_for(path: Path, limits: Limits) -> FrameReader:
    """Return a reader for a folder of images, an array, an image file or a video."""
    if path.is_dir():
        return Folder(path, limits)
    if path.suffix.lower() == ".npy":
        return Array(path, limits)
    head = first_bytes(path)
    if is_picture(head):
        return Animation(path, limits)
    check_kind(head)
    return Video(path, limits)


class Array(FrameReader):
    """A `.npy` file, (T, H, W, 3) or (T, 3, H, W), uint8 or float in [0, 1]."""

    def __init__(self, path: Path, limits: Limits) -> None:
        try:  # memory-mapped, so that a false header cannot allocate what it declares
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise FramesError(f"is not a readable .npy array: {error}") from error
        self._frames = channels_last(array)
        check_frame_size(self._frames.shape[2], self._frames.shape[1], limits)
        self.declared = len(array)

    def __iter__(self) -> Iterator[Pixels]:
        return (to_unit(frame, index) for index, frame in enumerate(self._frames))


def _bound_memory(limit: int) -> None:
    try:
        import resource
    except ImportError:  # not possible on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)  # of a cluster's job, for example
    limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def answer(request: Request, out: str | int) -> dict[str, object]:
    """Decode to a file path or handle; return {"shape": ...} or {"error": "a clause"}."""
    av.logging.set_level(av.logging.PANIC)  # prints nothing, but errors are counted
    try:
        with open(out, "wb") as file:
            return decode(request, file)
    except FramesError as error:
        cause = str(error)
    except (MemoryError, ImportError, cv2.error):  # libraries also fail like this without memory
        cause = "needs more memory than Limits.memory allows."
    except FFmpegError as error:
        cause = f"is not a video that can be decoded ({error.strerror or type(error).__name__})."
    except OSError as error:
        cause = f"could not be read ({error.strerror or error})."
    return {"error": cause}


def main() -> None:
    """Answer the request on stdin, within its memory limit."""
    fields = json.load(sys.stdin)
    limits = Limits(**fields["limits"])
    _bound_memory(limits.memory)
    out = os.dup(1)
    os.dup2(2, 1)  # keeps text printed by libraries out of the frames
    reply = answer(Request(**fields | {"limits": limits}), out)
    print(f"\n{json.dumps(reply)}", file=sys.stderr)


if __name__ == "__main__":
    main()
