"""The frames contract that every folder shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.errors import FramesError


class Footage(Protocol):
    """Frames to be taken by their index, wherever they are.

    In memory (`Clip`), on disk (`stst.video.film.Film`), or made when they are taken.
    """

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""

    def __len__(self) -> int: ...

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames in the order asked for: (n, 3, H, W), float32 in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames in memory and how fast they are shown.

    Parameters
    ----------
    frames : Tensor
        (T, 3, H, W), float32, RGB in [0, 1] as encoded (gamma not undone).
    frame_rate : Fraction
        Frames per second, exact: ``Fraction(30000, 1001)``.

    Raises
    ------
    FramesError
        If the frames are of another shape or type, hold a value that is not finite or
        not in [0, 1], or if the frame rate is not positive.

    Examples
    --------
    >>> clip = Clip(torch.rand(8, 3, 64, 64), Fraction(25))
    >>> len(clip), clip.size
    (8, (64, 64))
    """

    frames: Tensor
    frame_rate: Fraction

    def __post_init__(self) -> None:
        check_frames(self.frames)
        check_rate(self.frame_rate)

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return int(self.frames.shape[2]), int(self.frames.shape[3])

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames in the order asked for: (n, 3, H, W)."""
        return self.frames[list(indices)]


@dataclass(frozen=True, eq=False)
class Excerpt:
    """Some of the frames of a clip, in a row; nothing is copied.

    Parameters
    ----------
    whole : Clip or Film
        What it is taken of.
    frames : range
        Which frames, step 1.

    Examples
    --------
    >>> clip = Clip(torch.rand(8, 3, 64, 64), Fraction(25))
    >>> len(Excerpt(clip, range(2, 5)))
    3
    """

    whole: Footage
    frames: range

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""
        return self.whole.frame_rate

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.whole.size

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames in the order asked for: (n, 3, H, W)."""
        return self.whole.take([self.frames[index] for index in indices])


def gathered(footage: Footage) -> Clip:
    """All frames in memory, as a clip.

    Examples
    --------
    >>> clip = Clip(torch.rand(8, 3, 64, 64), Fraction(25))
    >>> gathered(clip) is clip
    True
    """
    if isinstance(footage, Clip):
        return footage
    return Clip(footage.take(range(len(footage))), footage.frame_rate)


def check_frames(frames: Tensor) -> None:
    """Refuse what is not (T, 3, H, W), float32, finite and in [0, 1]."""
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape:
        raise FramesError(f"frames must be (T, 3, H, W), got {tuple(frames.shape)}.")
    if frames.dtype != torch.float32:
        raise FramesError(f"frames must be float32 in [0, 1], got {frames.dtype}.")
    low, high = (float(v) for v in frames.aminmax())
    if not (low >= 0 and high <= 1):  # also refuses NaN
        raise FramesError(
            f"frames must be finite and in [0, 1], got values from {low:g} to {high:g}."
        )


def check_rate(rate: Fraction) -> None:
    """Refuse a frame rate that is not positive."""
    if not rate > 0:
        raise FramesError(f"the frame rate must be positive, got {rate}.")


def to_uint8(frames: Tensor) -> npt.NDArray[np.uint8]:
    """Eight-bit frames for files and screens: clipped, then rounded.

    (T, 3, H, W) in [0, 1] -> (T, H, W, 3). The authors' code truncates and wraps
    (1.004 becomes 0); a value that is not finite is refused.

    Examples
    --------
    >>> to_uint8(torch.full((1, 3, 1, 1), 1.004)).ravel().tolist()
    [255, 255, 255]
    """
    if not bool(torch.isfinite(frames).all()):
        raise FramesError("frames hold values that are not finite; nothing was written.")
    levels = frames.detach().clamp(0, 1).mul(255).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
