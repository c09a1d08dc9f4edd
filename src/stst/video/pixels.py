"""Arrays of pixels: their layouts, value range and size. Needs no torch."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stst.errors import FramesError

Pixels = npt.NDArray[np.float32]  # (H, W, 3), RGB in [0, 1]


def channels_last(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """View frames, (T, H, W, 3) or (T, 3, H, W), as (T, H, W, 3); errors are clauses about them."""
    shape = array.shape
    if len(shape) != 4 or (shape[1] == 3) == (shape[3] == 3):
        raise FramesError(f"must be (T, H, W, 3) or (T, 3, H, W), and is {shape}.")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise FramesError(f"must be uint8, or float in [0, 1]; it is {array.dtype}.")
    return array if shape[3] == 3 else np.moveaxis(array, 1, 3)


def to_unit(frame: npt.NDArray[Any], index: int) -> Pixels:
    """Scale a frame, uint8 or float in [0, 1], to float32 in [0, 1]."""
    top = 255 if frame.dtype == np.uint8 else 1
    pixels: Pixels = np.divide(frame, top, dtype=np.float32, casting="same_kind")
    if not (pixels.min() >= 0 and pixels.max() <= 1):  # also refuses NaN
        raise FramesError(
            f"must be in [0, 1]; frame {index} goes from {pixels.min():g} to "
            f"{pixels.max():g}. Divide by the highest level first."
        )
    return pixels


def smaller_size(
    size: tuple[int, int], width: int | None = None, height: int | None = None
) -> tuple[int, int]:
    """Height and width in px to reduce to; one that is not given follows from the other.

    Examples
    --------
    >>> smaller_size((108, 192), width=96), smaller_size((108, 192), height=27)
    ((54, 96), (27, 48))
    """
    rows, columns = size
    if width is None and height is None:
        return size
    if height is None:
        height = max(1, round(rows * (width or 0) / columns))
    if width is None:
        width = max(1, round(columns * height / rows))
    if not (1 <= width <= columns and 1 <= height <= rows):
        raise FramesError(
            f"is {columns} px wide, {rows} px high and cannot be enlarged to {width}x{height} px "
            f"(that adds no detail); choose a width from 1 to {columns}, a height from 1 to {rows}."
        )
    return height, width


def downsize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Average over boxes: (H, W, 3) -> (height, width, 3)."""
    if pixels.shape[:2] == size:
        return pixels
    small = cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.clip(small, 0, 1)
