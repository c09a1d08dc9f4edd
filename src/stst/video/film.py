"""Clips whose frames are read when used: views of other clips, and films on disk."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stst.errors import FramesError
from stst.video.frames import Clip, Footage, check_frames
from stst.video.timing import Resampling, as_rate


class LazyClip(Clip):
    """A clip whose frames are read when used; a copy or pickle of it is in memory.

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels.
    frame_rate : Fraction, float or str
        Frames per second.

    Attributes
    ----------
    resampling : Resampling or None
        For files read with `retime`: the frame rate and the numbers of repeated and dropped
        frames.
    """

    resampling: Resampling | None = None

    def __init__(self, size: tuple[int, int], frame_rate: Fraction | float | str) -> None:
        self._size, self._rate = size, as_rate(frame_rate)

    @property
    def frames(self) -> Tensor:
        """All frames, read into memory on each access: (T, 3, H, W)."""
        return self.take(range(len(self)))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self._size

    def load(self) -> Clip:
        """Read all frames into memory.

        Returns
        -------
        Clip
            A clip in memory.
        """
        return Clip(self.frames, self.frame_rate)

    def _pick(self, indices: Sequence[int], frame_rate: Fraction) -> Clip:
        return View(self, indices, frame_rate=frame_rate)

    def _map(self, size: tuple[int, int], change: Callable[[Tensor], Tensor]) -> Clip:
        return View(self, range(len(self)), size=size, change=change)

    def __reduce__(self) -> tuple[type[Clip], tuple[Tensor, Fraction]]:
        return Clip, (self.frames, self.frame_rate)


class View(LazyClip):
    """Selected frames of another clip, changed to (n, 3, *size) when read."""

    def __init__(
        self,
        whole: Footage,
        indices: Sequence[int],
        *,
        frame_rate: Fraction | None = None,
        size: tuple[int, int] | None = None,
        change: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(size or whole.size, frame_rate or whole.frame_rate)
        self._whole, self._indices, self._change = whole, indices, change
        self.resampling = getattr(whole, "resampling", None)

    def __len__(self) -> int:
        return len(self._indices)

    def take(self, indices: Sequence[int]) -> Tensor:
        """Read frames by index: (n, 3, H, W)."""
        frames = self._whole.take([self._indices[index] for index in indices])
        return frames if self._change is None else self._change(frames)


BUFFER = 2**24  # bytes


class Film(LazyClip):
    """A clip on disk, to which frames can be appended.

    Frames are stored in an unnamed file in the temporary folder (set by the environment variable
    TMPDIR). The file is removed when the film is closed or garbage-collected, or the process
    ends. Several threads may use a film.

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels.
    frame_rate : Fraction, float or str
        Frames per second.
    file : FileIO, optional
        An open, unbuffered file for reading and writing that may already hold frames: raw
        float32, (T, 3, H, W). The film closes it. By default a new file.

    Raises
    ------
    FramesError
        If a frame in `file` is incomplete or holds values outside [0, 1].

    Examples
    --------
    >>> with Film((32, 48), 25) as film:
    ...     film.append(torch.rand(3, 32, 48))
    ...     len(film)
    1
    """

    def __init__(
        self, size: tuple[int, int], frame_rate: Fraction | float | str, file: FileIO | None = None
    ) -> None:
        super().__init__(size, frame_rate)
        self._bytes = frame_bytes(size)
        self._lock = threading.Lock()
        self._file = nameless_file() if file is None else file
        self._length = math.ceil(os.fstat(self._file.fileno()).st_size / self._bytes)
        self.close = weakref.finalize(self, self._file.close)
        chunk = max(1, BUFFER // self._bytes)  # frames at a time, to limit memory
        for first in range(0, self._length, chunk):
            check_frames(self.take(range(first, min(first + chunk, self._length))))

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Sequence[int]) -> Tensor:
        """Read frames by index.

        Parameters
        ----------
        indices : sequence of int
            Frame indices, in any order.

        Returns
        -------
        Tensor
            Frames of shape (n, 3, H, W), float32 in [0, 1], in the order of `indices`.

        Raises
        ------
        FramesError
            If a frame is incomplete.

        Notes
        -----
        The file is read, not memory-mapped, so that used frames do not stay in memory.
        """
        frames = np.empty((len(indices), 3, *self._size), np.float32)
        for frame, index in zip(frames, indices, strict=True):
            room = frame.data.cast("B")
            with self._lock:  # the file has one position
                self._file.seek(range(self._length)[index] * self._bytes)
                while room and (got := self._file.readinto(room)):
                    room = room[got:]
            if room:
                raise FramesError(f"frame {index} of a film on disk is incomplete. Make it again.")
        return torch.from_numpy(frames)

    def append(self, frame: Tensor) -> None:
        """Append a frame.

        Parameters
        ----------
        frame : Tensor
            Frame of shape (3, H, W), float32 in [0, 1].

        Raises
        ------
        FramesError
            If the frame has another size or invalid values, or the disk is full.
        """
        if frame.shape != (3, *self.size):
            raise FramesError(f"frames must be {(3, *self.size)}, got {tuple(frame.shape)}.")
        check_frames(frame[None])
        rest = frame.detach().cpu().contiguous().numpy().data.cast("B")
        try:
            with self._lock:
                self._file.seek(len(self) * self._bytes)
                while rest:
                    rest = rest[self._file.write(rest) :]
                self._length += 1
        except OSError as error:
            raise _no_room(f"a frame could not be stored: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def store(footage: Footage, path: Path) -> None:
    """Write all frames unchanged as `.npy`, float32 (T, 3, H, W)."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(footage), 3, *footage.size)}
    try:
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for index in range(len(footage)):
                file.write(footage.take([index]).cpu().contiguous().numpy().tobytes())
    except OSError as error:
        raise FramesError(f"{path} could not be written: {error.strerror}.") from error


def stored(path: Path, frame_rate: Fraction | str) -> Film:
    """Read a file written by `store`, frame by frame."""
    try:  # memory-mapped, so that a false header cannot allocate what it declares
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FramesError(f"{path} cannot be read: {error}. Copy it again.") from error
    if frames.ndim != 4:
        raise FramesError(f"{path} must hold frames, (T, 3, H, W), got {frames.shape}.")
    film = Film(frames.shape[2:], frame_rate)
    for frame in frames:
        film.append(torch.from_numpy(np.array(frame)))
    return film


def frame_bytes(size: tuple[int, int]) -> int:
    """Return the bytes of one frame on disk: 3 values of 4 bytes per px."""
    return 12 * size[0] * size[1]


def nameless_file() -> FileIO:
    """Open an unnamed temporary file, which is removed with its handle."""
    try:
        return tempfile.TemporaryFile(buffering=0, prefix="stst-")
    except OSError as error:
        raise _no_room(f"frames need a temporary file: {error.strerror}") from error


def blank_films(count: int, natural: Footage) -> tuple[Film, ...]:
    """Make empty films of the size of `natural`; FramesError if the disk has too little space."""
    films = tuple(Film(natural.size, natural.frame_rate) for _ in range(count))
    need = count * len(natural) * frame_bytes(natural.size)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if need > free:
        raise _no_room(
            f"{len(natural)} frames of {count} metamer(s) need {need / 1e9:.3g} GB, and "
            f"{tempfile.gettempdir()} has {free / 1e9:.3g} GB free"
        )
    return films


def _no_room(what: str) -> FramesError:
    return FramesError(
        f"{what}. Free space in the temporary folder, or set the environment variable TMPDIR to "
        "another folder."
    )
