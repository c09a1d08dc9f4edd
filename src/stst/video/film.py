"""Clips whose frames are fetched when used: views of others, and frames on disk."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
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
from stst.video.frames import Clip, Footage, as_rate, check_frames
from stst.video.timing import Resampling


class LazyClip(Clip):
    """A clip whose frames are fetched when used, by `take`; a copy or pickle is in memory.

    Attributes
    ----------
    resampling : Resampling or None
        If its file was read with `retime`: the rate, and how many frames were doubled or dropped.
    """

    resampling: Resampling | None = None

    def __init__(self, size: tuple[int, int], frame_rate: Fraction | float | str) -> None:
        self._size, self._rate = size, as_rate(frame_rate)

    @property
    def frames(self) -> Tensor:
        """All frames, read into memory at each call: (T, 3, H, W)."""
        return self.take(range(len(self)))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self._size

    def load(self) -> Clip:
        """Read all frames into memory."""
        return Clip(self.frames, self.frame_rate)

    def _pick(self, indices: Sequence[int], frame_rate: Fraction) -> Clip:
        return View(self, indices, frame_rate=frame_rate)

    def _map(self, size: tuple[int, int], change: Callable[[Tensor], Tensor]) -> Clip:
        return View(self, range(len(self)), size=size, change=change)

    def __reduce__(self) -> tuple[type[Clip], tuple[Tensor, Fraction]]:
        return Clip, (self.frames, self.frame_rate)


class View(LazyClip):
    """Frames of another clip, chosen, and changed to (n, 3, *size) when taken."""

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
        """Take frames in the order asked for: (n, 3, H, W)."""
        frames = self._whole.take([self._indices[index] for index in indices])
        return frames if self._change is None else self._change(frames)


BUFFER = 2**24  # bytes


class Film(LazyClip):
    """A clip on disk, to which frames can be added.

    They are in a file without a name in the system's temporary folder (the environment variable
    TMPDIR names another), which is gone as soon as the film is closed or forgotten or the process
    ends. It is read and not mapped, so that frames once used take no memory. `file`, which the film
    closes, may hold frames already: raw float32 of (T, 3, H, W), open to read and write without a
    buffer. FramesError if a frame is cut off, or holds a value that is not in [0, 1].
    """

    def __init__(
        self, size: tuple[int, int], frame_rate: Fraction | float | str, file: FileIO | None = None
    ) -> None:
        super().__init__(size, frame_rate)
        self._bytes = frame_bytes(size)
        self._file = nameless_file() if file is None else file
        self._length = math.ceil(os.fstat(self._file.fileno()).st_size / self._bytes)
        self.close = weakref.finalize(self, self._file.close)
        few = max(1, BUFFER // self._bytes)  # frames at a time, so that length costs no memory
        for first in range(0, self._length, few):
            check_frames(self.take(range(first, min(first + few, self._length))))

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Sequence[int]) -> Tensor:
        """Read frames in the order asked for: (n, 3, H, W)."""
        frames = np.empty((len(indices), 3, *self._size), np.float32)
        for frame, index in zip(frames, indices, strict=True):
            self._file.seek(range(self._length)[index] * self._bytes)
            room = frame.data.cast("B")
            while room and (got := self._file.readinto(room)):
                room = room[got:]
            if room:
                raise FramesError(f"frame {index} of a film on disk is cut off. Make it again.")
        return torch.from_numpy(frames)

    def append(self, frame: Tensor) -> None:
        """Add a frame, (3, H, W) float32 in [0, 1], at the end; FramesError if the disk is full."""
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
    """Write all frames as `.npy`, float32 (T, 3, H, W): exactly as they are."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(footage), 3, *footage.size)}
    try:
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for index in range(len(footage)):
                file.write(footage.take([index]).cpu().contiguous().numpy().tobytes())
    except OSError as error:
        raise FramesError(f"{path} could not be written: {error.strerror}.") from error


def stored(path: Path, frame_rate: Fraction | str) -> Film:
    """Read what `store` wrote, frame by frame."""
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
    """Empty films of the form of `natural`; FramesError if frames of all would not fit on disk."""
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
        f"{what}. Make room in the temporary folder, or name another in the variable TMPDIR."
    )
