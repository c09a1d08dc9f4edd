"""A video file, a folder of images or an array: what frames are read from. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from stst.errors import FramesError
from stst.video.colour import Pixels
from stst.video.container import STILLS, Source, Video, check_size
from stst.video.files import stills
from stst.video.process import Limits


def open_source(path: Path, limits: Limits) -> Source:
    """Choose by what the path is: a folder of images, an array, else a video file."""
    if path.is_dir():
        return Folder(path, limits)
    return Array(path, limits) if path.suffix.lower() == ".npy" else Video(path, limits)


class Folder(Source):
    """Images of one folder, sorted naturally: 2.png before 10.png."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._stills = stills(path)
        self._limits = limits
        self._remarks: set[str] = set()
        self.declared = len(self._stills)

    def __iter__(self) -> Iterator[Pixels]:
        for path in self._stills:
            try:
                image = Video(path, self._limits, STILLS)
                yield next(iter(image))
            except (av.FFmpegError, StopIteration):
                raise FramesError(f"holds {path.name}, which is damaged or no image.") from None
            self._remarks.update(f"{text} (in {path.name})" for text in image.remarks())

    def remarks(self) -> list[str]:
        """Say what is wrong with the images read so far."""
        return sorted(self._remarks)


class Array(Source):
    """A `.npy` file, (T, H, W, 3) or (T, 3, H, W), uint8 or float in [0, 1]."""

    def __init__(self, path: Path, limits: Limits) -> None:
        try:  # mapped, so that a header that lies cannot allocate what it declares
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise FramesError(f"is not a readable .npy array: {error}") from error
        shape = array.shape
        if len(shape) != 4 or (shape[1] == 3) == (shape[3] == 3):
            raise FramesError(f"must be (T, H, W, 3) or (T, 3, H, W), and is {shape}.")
        if array.dtype != np.uint8 and array.dtype.kind != "f":
            raise FramesError(f"must be uint8, or float in [0, 1]; it is {array.dtype}.")
        self._frames = array if shape[3] == 3 else np.moveaxis(array, 1, 3)
        check_size(self._frames.shape[2], self._frames.shape[1], limits)
        self.declared = len(array)

    def __iter__(self) -> Iterator[Pixels]:
        for index, frame in enumerate(self._frames):
            top = 255 if frame.dtype == np.uint8 else 1
            pixels = np.divide(frame, top, dtype=np.float32, casting="same_kind")
            if not (pixels.min() >= 0 and pixels.max() <= 1):  # also refuses NaN
                raise FramesError(
                    f"must be in [0, 1]; frame {index} goes from {pixels.min():g} to "
                    f"{pixels.max():g}. Divide by the highest level first."
                )
            yield pixels
