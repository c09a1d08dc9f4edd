"""Resize frames: reduce, enlarge, crop and pad. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from stst.errors import FramesError

Pixels = npt.NDArray[np.float32]  # (H, W, 3), RGB in [0, 1]
Size = tuple[int, int]  # height and width in px
Fit = Literal["crop", "pad", "stretch"]

GREY = 0.5  # encoded R, G and B of the padding bars: 128 in 8-bit files
LONGEST = 32_768  # px, largest side that can be requested


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The requested size and how to reach it: see `stst.read_video`."""

    width: int | None = None
    height: int | None = None
    fit: Fit | None = None
    enlarge: bool = False


@dataclass(frozen=True)
class Placement:
    """How a frame is resized: (height, width) at each step.

    The central `part` of a frame of size `whole` is resized to `picture` and centred in the new
    `frame` on grey. If the remainder is odd, the extra pixel is on the right or below.
    """

    whole: Size
    part: Size
    picture: Size
    frame: Size

    def apply(self, pixels: Pixels) -> Pixels:
        """Resize a frame: (*whole, 3) -> (*frame, 3)."""
        picture = resized(_middle(pixels, self.part), self.picture)
        if self.picture == self.frame:
            return picture
        framed = np.full((*self.frame, 3), GREY, np.float32)
        _middle(framed, self.picture)[:] = picture
        return framed

    @property
    def steps(self) -> list[str]:
        """Steps in words, for manifests and Methods sections."""
        steps = []
        if self.part != self.whole:
            steps.append(f"cropped to the middle {_px(self.part)}")
        (rows, columns), (height, width) = self.part, self.picture
        if self.picture != self.part:
            odd = _differ(self.part, self.picture) and _differ(self.picture, self.part)
            how = "stretched" if odd else "resized"
            larger = " by bicubic interpolation" if height > rows or width > columns else ""
            steps.append(f"{how} to {_px(self.picture)}{larger}")
        if self.frame != self.picture:
            steps.append(f"padded with grey (value {GREY:g}) to {_px(self.frame)}")
        return steps


def place(size: Size, sizing: Sizing) -> Placement:
    """Plan how to resize frames of a size; error messages are clauses about the file."""
    if sizing.fit not in (None, *get_args(Fit)):
        raise FramesError(f"cannot use fit={sizing.fit!r}: choose {', '.join(get_args(Fit))}.")
    frame = _wanted(size, sizing.width, sizing.height)
    part, picture = size, frame
    if sizing.width and sizing.height and _differ(size, frame):
        if sizing.fit is None:
            raise FramesError(
                f"is {_px(size)}, and {_px(frame)} has another aspect ratio. Choose how to fit it: "
                "--fit crop, pad or stretch (in Python fit='crop'); or give only width or height."
            )
        if sizing.fit == "crop":
            part = _largest(size, frame)
        elif sizing.fit == "pad":
            picture = _largest(frame, size)
    if not sizing.enlarge and (picture[0] > part[0] or picture[1] > part[1]):
        raise FramesError(
            f"is {_px(size)} and would be enlarged to {_px(frame)}, which adds no detail. Choose "
            "a smaller size, or allow it: --enlarge (in Python enlarge=True)."
        )
    return Placement(size, part, picture, frame)


def _wanted(size: Size, width: int | None, height: int | None) -> Size:
    """Return height and width in px; a missing one follows from the other, rounded."""
    rows, columns = size
    if any(side is not None and not 1 <= side <= LONGEST for side in (width, height)):
        raise FramesError(
            f"cannot have width={width}, height={height}: a side is 1 to {LONGEST} px."
        )
    if width is None and height is None:
        return size
    if height is None:
        height = max(1, round(rows * (width or 0) / columns))
    if width is None:
        width = max(1, round(columns * height / rows))
    return height, width


def _differ(first: Size, second: Size) -> bool:
    """Whether two aspect ratios differ by more than the rounding of a side."""
    (rows, columns), (height, width) = first, second
    off = height * columns - width * rows  # divided by columns or rows: px of height or width
    return 2 * abs(off) > max(rows, columns)


def _largest(room: Size, aspect: Size) -> Size:
    """Return the largest size with a given aspect ratio that fits into `room`, rounded."""
    scale = min(Fraction(room[0], aspect[0]), Fraction(room[1], aspect[1]))
    return max(1, round(scale * aspect[0])), max(1, round(scale * aspect[1]))


def _middle(pixels: Pixels, size: Size) -> Pixels:
    """Return a view of the centre of a frame."""
    top, left = ((side - part) // 2 for side, part in zip(pixels.shape, size, strict=False))
    return pixels[top : top + size[0], left : left + size[1]]


def resized(pixels: Pixels, size: Size) -> Pixels:
    """Average along sides that get shorter, then interpolate along sides that get longer."""
    shorter = min(size[0], pixels.shape[0]), min(size[1], pixels.shape[1])
    return enlarged(downsize(pixels, shorter), size)


def downsize(pixels: Pixels, size: Size) -> Pixels:
    """Average over boxes: (H, W, 3) -> (height, width, 3)."""
    if pixels.shape[:2] == size:
        return pixels
    small = cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.clip(small, 0, 1)


def enlarged(pixels: Pixels, size: Size) -> Pixels:
    """Interpolate by cubic convolution: (H, W, 3) -> (height, width, 3), clipped to [0, 1].

    Uses the kernel of Keys (1981, IEEE Trans. Acoust. Speech Signal Process. 29, 1153) with
    a = -1/2, the only one that preserves linear luminance gradients. OpenCV, and torch without
    antialiasing, use a = -3/4.
    """
    if pixels.shape[:2] == size:
        return pixels
    planes = (Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(pixels, -1, 0))
    across = (size[1], size[0])
    large = [np.asarray(plane.resize(across, Image.Resampling.BICUBIC)) for plane in planes]
    return np.stack(large, -1).clip(0, 1)


def _px(size: Size) -> str:
    return f"{size[1]}x{size[0]} px"
