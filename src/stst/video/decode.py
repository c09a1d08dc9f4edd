"""The decoding process: ``python -m stst.video.decode``, one request as JSON on stdin.

Frames go to stdout, a file that is handed down open, as raw float32, (T, 3, H, W), one by
one; what is known of them is the last line of stderr, as JSON. A process of its own, because
a damaged file can crash FFmpeg, take all memory or never end, and none of these can be caught.
Imports no torch, to start fast.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import av
import cv2
import numpy as np
from av.error import FFmpegError

from stst.errors import FramesError
from stst.video.container import FrameReader, Still, Video, check_frame_size
from stst.video.files import Limits, Request, stills
from stst.video.pixels import Pixels, channels_last, downsize, smaller_size, to_unit


def decode(request: Request, out: BinaryIO) -> dict[str, object]:
    """Write the frames asked for and return what is known of them."""
    limits = request.limits
    source = source_for(Path(request.path), limits)
    need = len(request.indices(source.declared or 0))
    if need > limits.frames:
        raise _too_long(limits, f"it declares {need} frames to read")
    shape, count, chosen = None, 0, request.indices(sys.maxsize)
    for pixels in islice(source, chosen.start, chosen.stop, chosen.step):
        pixels = downsize(pixels, smaller_size(pixels.shape[:2], request.width))
        if shape is None:
            shape = pixels.shape
            _check_room(need * pixels.nbytes, out)
        if pixels.shape != shape:
            raise FramesError(f"changes size at frame {count}: {shape} to {pixels.shape}.")
        count += 1
        if count > limits.frames or count * pixels.nbytes > limits.bytes:
            raise _too_long(limits, f"more than {count - 1} frames were decoded")
        out.write(np.ascontiguousarray(pixels.transpose(2, 0, 1)).data)
    rate = source.frame_rate()
    return {
        "shape": (count, 3, *shape[:2]) if shape else (0, 3, 0, 0),
        "declared": source.declared,
        "rate": str(rate) if rate else None,
        "remarks": source.remarks(),
    }


def _check_room(need: int, out: BinaryIO) -> None:
    free = shutil.disk_usage(out.fileno()).free
    if need > free:
        raise FramesError(
            f"is too long: its frames need {need / 1e9:.3g} GB in the temporary folder, where "
            f"{free / 1e9:.3g} GB are free. Read a part of it (frames=, every=, width=), or name "
            f"another folder in the environment variable TMPDIR."
        )


def _too_long(limits: Limits, reason: str) -> FramesError:
    return FramesError(
        f"is too long: {reason}, and the limits are {limits.frames} frames and "
        f"{limits.bytes / 2**30:.3g} GiB. Read a part of it (frames=, every=, width=) or "
        f"raise Limits."
    )


def source_for(path: Path, limits: Limits) -> FrameReader:
    """Choose by what the path is: a folder of images, an array, else a video file."""
    if path.is_dir():
        return Folder(path, limits)
    return Array(path, limits) if path.suffix.lower() == ".npy" else Video(path, limits)


class Folder(FrameReader):
    """Images of one folder, sorted naturally: 2.png before 10.png."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._stills = stills(path)
        self._limits = limits
        self._remarks: set[str] = set()
        self.declared = len(self._stills)

    def __iter__(self) -> Iterator[Pixels]:
        for path in self._stills:
            try:
                image = Still(path, self._limits)
                yield next(iter(image))
            except (av.FFmpegError, StopIteration):
                raise FramesError(f"holds {path.name}, which is damaged or no image.") from None
            self._remarks.update(f"{text} (in {path.name})" for text in image.remarks())

    def remarks(self) -> list[str]:
        """Say what is wrong with the images read so far."""
        return sorted(self._remarks)


class Array(FrameReader):
    """A `.npy` file, (T, H, W, 3) or (T, 3, H, W), uint8 or float in [0, 1]."""

    def __init__(self, path: Path, limits: Limits) -> None:
        try:  # mapped, so that a header that lies cannot allocate what it declares
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
    except ImportError:  # Windows has no such bound
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def answer(request: Request, out: str | int) -> dict[str, object]:
    """Decode into a file, its path or handle; say {"shape": ...} or {"error": "a clause"}."""
    av.logging.set_level(av.logging.PANIC)  # nothing is printed, and errors are counted
    try:
        with open(out, "wb") as file:
            return decode(request, file)
    except FramesError as error:
        cause = str(error)
    except (MemoryError, ImportError, cv2.error):  # FFmpeg's too; a library without room
        cause = "needs more memory than Limits.memory allows."
    except FFmpegError as error:
        cause = f"is not a video that can be read ({error.strerror})."
    except OSError as error:
        cause = f"could not be read ({error.strerror})."
    return {"error": cause}


def main() -> None:
    """Answer the request on stdin, within its bound of memory."""
    asked = json.load(sys.stdin)
    limits = Limits(**asked["limits"])
    _bound_memory(limits.memory)
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not come between the frames
    reply = answer(Request(**asked | {"limits": limits}), out)
    print(f"\n{json.dumps(reply)}", file=sys.stderr)


if __name__ == "__main__":
    main()
