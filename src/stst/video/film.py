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
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stst.errors import FramesError
from stst.video.frames import Footage, LazyClip, check_frames


class Film(LazyClip):
    """A clip on disk, to which frames can be added.

    They are in a file without a name in the system's temporary folder (the environment variable
    TMPDIR names another), which is gone as soon as the film is closed or forgotten or the process
    ends, in whatever way. It is read and not mapped, so that frames once used leave no trace
    in the process's memory.

    Parameters
    ----------
    size : tuple of int
        Height and width in px.
    frame_rate : Fraction, float or str
        Frames per second.
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
        self,
        size: tuple[int, int],
        frame_rate: Fraction | float | str,
        file: FileIO | None = None,
    ) -> None:
        super().__init__(size, frame_rate)
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


def store(footage: Footage, path: Path) -> None:
    """Write all frames as `.npy`, float32 (T, 3, H, W): exactly as they are.

    Raises
    ------
    FramesError
        If the disk is full or the folder is not there.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(footage), 3, *footage.size)}
    try:
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for index in range(len(footage)):
                file.write(footage.take([index]).cpu().contiguous().numpy().tobytes())
    except OSError as error:
        raise FramesError(f"{path} could not be written: {error.strerror}.") from error


def stored(path: Path, frame_rate: Fraction | str) -> Film:
    """Read what `store` wrote, frame by frame.

    Raises
    ------
    FramesError
        If the file is gone, damaged or something else.
    """
    try:  # mapped, so that a header that lies cannot allocate what it declares
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FramesError(f"{path} cannot be read: {error}. Copy it again.") from error
    if frames.ndim != 4:
        raise FramesError(f"{path} must hold frames, (T, 3, H, W), and is {frames.shape}.")
    film = Film(frames.shape[2:], frame_rate)
    for frame in frames:
        film.append(torch.from_numpy(np.array(frame)))
    return film


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
