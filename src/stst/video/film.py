"""Frames on disk, taken and added one by one, so that a long clip needs no memory."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from fractions import Fraction
from io import FileIO
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stst.errors import FramesError
from stst.video.frames import Clip, Footage, check_frames, check_rate, gathered


class Film:
    """Frames in a file without a name, and how fast they are shown.

    The file is in the system's temporary folder (the environment variable TMPDIR names
    another) and is gone as soon as the film is closed or forgotten or the process ends,
    in whatever way. It is read and not mapped, so that frames once used leave no trace
    in the process's memory. A copy of a film (`copy`, `pickle`) is a `Clip`.

    Parameters
    ----------
    size : tuple of int
        Height and width in px.
    frame_rate : Fraction
        Frames per second, exact.
    file : binary file, optional
        One that holds frames already, raw float32 of (T, 3, H, W), open to read and
        write without a buffer. The film closes it.

    Raises
    ------
    FramesError
        If a frame is cut off, or holds a value that is not finite or not in [0, 1]; if
        the frame rate is not positive.

    Examples
    --------
    >>> film = Film((64, 48), Fraction(25))
    >>> film.append(torch.full((3, 64, 48), 0.5))
    >>> len(film), film.take([0, 0]).shape
    (1, torch.Size([2, 3, 64, 48]))
    """

    def __init__(
        self, size: tuple[int, int], frame_rate: Fraction, file: FileIO | None = None
    ) -> None:
        check_rate(frame_rate)
        self.size, self.frame_rate = size, frame_rate
        self._bytes = frame_bytes(size)
        self._file = nameless_file() if file is None else file
        self._length = math.ceil(os.fstat(self._file.fileno()).st_size / self._bytes)
        self.close = weakref.finalize(self, self._file.close)
        for index in range(len(self)):
            check_frames(self.take([index]))

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Sequence[int]) -> Tensor:
        """Read frames in the order asked for: (n, 3, H, W).

        Raises
        ------
        FramesError
            If the disk no longer gives what was written.
        """
        frames = np.empty((len(indices), 3, *self.size), np.float32)
        for frame, index in zip(frames, indices, strict=True):
            self._file.seek(range(len(self))[index] * self._bytes)
            room = frame.data.cast("B")
            while room and (got := self._file.readinto(room)):
                room = room[got:]
            if room:
                raise FramesError(f"frame {index} of a film on disk is cut off. Make it again.")
        return torch.from_numpy(frames)

    def append(self, frame: Tensor) -> None:
        """Add a frame, (3, H, W), at the end.

        Raises
        ------
        FramesError
            If it is of another shape or type, holds a value that is not finite or not in
            [0, 1], or if the disk is full.
        """
        if frame.shape != (3, *self.size):
            raise FramesError(f"frames must be {(3, *self.size)}, got {tuple(frame.shape)}.")
        check_frames(frame[None])
        self._file.seek(len(self) * self._bytes)
        rest = frame.detach().cpu().contiguous().numpy().data.cast("B")
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _no_room(f"a frame could not be stored: {error.strerror}") from error
        self._length += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Clip], tuple[Tensor, Fraction]]:
        clip = gathered(self)
        return Clip, (clip.frames, clip.frame_rate)


def frame_bytes(size: tuple[int, int]) -> int:
    """Bytes of one frame on disk: 3 values of 4 bytes a px."""
    return 12 * size[0] * size[1]


def nameless_file() -> FileIO:
    """Open a file that no folder lists, so that it cannot outlive its handle."""
    try:
        return tempfile.TemporaryFile(buffering=0, prefix="stst-")
    except OSError as error:
        raise _no_room(f"frames need a temporary file: {error.strerror}") from error


def blank_films(count: int, natural: Footage) -> tuple[Film, ...]:
    """Empty films of the form of `natural`, if there is room for all frames of each.

    Raises
    ------
    FramesError
        If the temporary folder is too full.
    """
    films = tuple(Film(natural.size, natural.frame_rate) for _ in range(count))
    need = count * len(natural) * frame_bytes(natural.size)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if need > free:
        raise _no_room(
            f"{len(natural)} frames of {count} metamer(s) take {need / 1e9:.3g} GB, and "
            f"{tempfile.gettempdir()} has {free / 1e9:.3g} GB free"
        )
    return films


def _no_room(what: str) -> FramesError:
    return FramesError(
        f"{what}. Make room in the temporary folder, or name another in the environment "
        f"variable TMPDIR."
    )
