"""Frames on disk, taken and added one by one, so that a long clip needs no memory."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from fractions import Fraction
from typing import IO, Self

import numpy as np
import torch
from torch import Tensor

from stst.errors import FramesError
from stst.video.frames import Clip, check_frames, check_rate, gathered


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
        self, size: tuple[int, int], frame_rate: Fraction, file: IO[bytes] | None = None
    ) -> None:
        check_rate(frame_rate)
        self.size, self.frame_rate = size, frame_rate
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
            room = memoryview(frame).cast("B")
            while room and (got := self._file.readinto(room)):  # type: ignore[attr-defined]
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
        rest = memoryview(frame.detach().cpu().contiguous().numpy()).cast("B")
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _no_room(f"a frame could not be stored ({error.strerror})") from error
        self._length += 1
