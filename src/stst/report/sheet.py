"""Natural clip and stimulus in one picture, pixel for pixel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from stst.errors import FramesError
from stst.report.page import GAP, Pixels, below, beside, font, line, page, paragraph
from stst.report.pair import check_same_shape
from stst.video.frames import Footage, to_uint8

_SMALL, _LARGE = 160, 360  # px: frames below half are enlarged, frames above reduced


def contact_sheet(
    films: Mapping[str, Footage], *, columns: int = 8, caption: str = ""
) -> Image.Image:
    """Draw frames of each film below one another, and an x-t slice of each at the foot.

    No pixel is interpolated: frames stand as they are; small ones (and the slices) are
    enlarged by repeating pixels, wide ones reduced by averaging square blocks of them.

    Parameters
    ----------
    films : mapping of str to Footage
        At least one, by the names to be shown, ``{"natural": ..., "metamer": ...}``; of
        one length, size and frame rate.
    columns : int
        How many frames to show, evenly spread; a shorter clip shows all it has.
    caption : str
        Above the frames, in as many lines as it takes.

    Returns
    -------
    PIL.Image.Image
        RGB, on white. The slices are of the middle row of pixels; time runs down.

    Raises
    ------
    FramesError
        If the clips differ in length, size or frame rate, or `columns` is below 1.
    """
    first = next(iter(films.values()))
    check_same_shape(films)
    if columns < 1:
        raise FramesError(f"a contact sheet needs at least 1 column, got {columns}.")
    shown = np.linspace(0, len(first) - 1, min(columns, len(first))).round().astype(int)
    cells = {n: [fitted(to_uint8(f.take([i]))[0]) for i in shown] for n, f in films.items()}
    step = next(iter(cells.values()))[0].shape[1] + GAP
    ink = font(min(30, max(14, step * len(shown) // 70)))
    room, middle = max(_SMALL, step * len(shown) // len(films) - GAP), first.size[0] // 2
    slices = [
        below(
            [
                line([f"{name}: x-t slice, row {middle}"], 0, ink),
                enlarged(row_of(film, middle), room),
            ]
        )
        for name, film in films.items()
    ]
    rows = {
        "": paragraph(caption, step * len(shown), ink),
        "frame": line([str(index) for index in shown], step, ink),
        **{name: beside(frames) for name, frames in cells.items()},
        "time \N{DOWNWARDS ARROW}": beside(slices),
    }
    labels = [line([label], 0, ink) for label in rows]
    return Image.fromarray(page(labels, list(rows.values()), margin=int(ink.size)))


def row_of(film: Footage, row: int) -> Pixels:
    """One row of pixels of every frame, (T, W, 3)."""
    frames = (film.take([index]) for index in range(len(film)))
    return np.concatenate([to_uint8(frame[:, :, row : row + 1])[:, 0] for frame in frames])


def fitted(frame: Pixels) -> Pixels:
    """Bring a frame, (H, W, 3), to a legible size by whole factors."""
    longer = max(frame.shape[:2])
    if longer > _LARGE:
        return np.asarray(Image.fromarray(frame).reduce(-(-longer // _LARGE)))
    return _repeat(frame, max(1, _SMALL // longer), max(1, _SMALL // longer))


def enlarged(pixels: Pixels, room: int) -> Pixels:
    """Bring an x-t slice, (T, W, 3), to at most `room` px across."""
    time, width = pixels.shape[:2]
    if width > room:
        pixels = np.asarray(Image.fromarray(pixels).reduce((-(-width // room), 1)))
    return _repeat(pixels, min(24, max(1, 192 // time)), max(1, room // width))


def _repeat(pixels: Pixels, down: int, across: int) -> Pixels:
    return pixels.repeat(down, axis=0).repeat(across, axis=1)
