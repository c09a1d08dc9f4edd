"""Contact sheets and tiles: clips shown pixel by pixel in one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stst.errors import FramesError
from stst.metrics.clips import check_same_form
from stst.report.page import GAP, Pixels, below, beside, font, line, page, paragraph
from stst.video.frames import Footage, to_uint8


class SideBySide:
    """Show clips of one form side by side, joined when frames are taken.

    Parameters
    ----------
    films : sequence of Clip or Film
        Clips of the same length, size and frame rate.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> SideBySide([clip, clip]).size
    (32, 72)
    """

    def __init__(self, films: Sequence[Footage]) -> None:
        self.films, self.frame_rate = films, films[0].frame_rate
        height, width = films[0].size
        self.size = height, len(films) * (width + GAP) - GAP

    def __len__(self) -> int:
        return len(self.films[0])

    def take(self, indices: Sequence[int]) -> Tensor:
        """Return joined frames.

        Parameters
        ----------
        indices : sequence of int
            Indices of frames.

        Returns
        -------
        Tensor
            Frames, values 0 to 1, shape (n, 3, H, W), with the first clip on the left.

        Examples
        --------
        >>> import stst
        >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
        >>> SideBySide([clip, clip]).take([0]).shape
        torch.Size([1, 3, 32, 72])
        """
        parts: list[Tensor] = []
        for film in self.films:
            frames = film.take(indices)
            parts += [frames.new_full((*frames.shape[:3], GAP), 0.5), frames]
        return torch.cat(parts[1:], -1)


def side_by_side(films: Mapping[str, Footage]) -> SideBySide:
    """Show clips from left to right, with gaps of 8 px of mid grey.

    Parameters
    ----------
    films : mapping of str to Clip or Film
        Clips by name.

    Returns
    -------
    SideBySide
        Joined clip.

    Raises
    ------
    FramesError
        If the clips differ in length, size or frame rate.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> len(side_by_side({"natural": clip, "metamer": clip}))
    4
    """
    check_same_form(films)
    return SideBySide(list(films.values()))


_SMALL, _LARGE = 160, 360  # px: frames below half of _SMALL are enlarged, above _LARGE reduced


def contact_sheet(
    films: Mapping[str, Footage], *, columns: int = 8, caption: str = ""
) -> Image.Image:
    """Draw frames of each clip in rows, and an x-t slice of each below.

    Parameters
    ----------
    films : mapping of str to Clip or Film
        Clips by the names to be shown.
    columns : int, default 8
        Maximum number of frames, evenly spaced from first to last.
    caption : str, optional
        Text above the frames.

    Returns
    -------
    PIL.Image.Image
        Contact sheet. Pixels are not interpolated: small frames are enlarged by repeating pixels,
        large ones reduced by averaging square blocks.

    Raises
    ------
    FramesError
        If the clips differ in length, size or frame rate, or `columns` is below 1.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> contact_sheet({"natural": clip, "metamer": clip}, columns=2).mode
    'RGB'
    """
    first = next(iter(films.values()))
    check_same_form(films)
    if columns < 1:
        raise FramesError(f"a contact sheet needs at least 1 column, got {columns}.")
    shown = np.linspace(0, len(first) - 1, min(columns, len(first))).round().astype(int)
    cells = {n: [fitted(to_uint8(f.take([i]))[0]) for i in shown] for n, f in films.items()}
    step = next(iter(cells.values()))[0].shape[1] + GAP
    ink = font(min(30, max(14, step * len(shown) // 70)))
    room, middle = max(_SMALL, step * len(shown) // len(films) - GAP), first.size[0] // 2
    slices = []
    for name, film in films.items():
        title = line([f"{name}: x-t slice, row {middle}"], 0, ink)
        slices.append(below([title, enlarged(row_of(film, middle), room)]))
    rows = {
        "": paragraph(caption, step * len(shown), ink),
        "frame": line([str(index) for index in shown], step, ink),
        **{name: beside(frames) for name, frames in cells.items()},
        "time \N{DOWNWARDS ARROW}": beside(slices),
    }
    labels = [line([label], 0, ink) for label in rows]
    return Image.fromarray(page(labels, list(rows.values()), margin=int(ink.size)))


def row_of(film: Footage, row: int) -> Pixels:
    """Return one row of pixels of all frames: an x-t slice.

    Parameters
    ----------
    film : Clip or Film
        Clip.
    row : int
        Index of the row.

    Returns
    -------
    ndarray of uint8
        Slice, shape (T, W, 3).

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> row_of(clip, 16).shape
    (4, 32, 3)
    """
    frames = (film.take([index]) for index in range(len(film)))
    return np.concatenate([to_uint8(frame[:, :, row : row + 1])[:, 0] for frame in frames])


def fitted(frame: Pixels) -> Pixels:
    """Enlarge or reduce a frame by a whole factor to a legible size.

    Parameters
    ----------
    frame : ndarray of uint8
        Frame, shape (H, W, 3).

    Returns
    -------
    ndarray of uint8
        Frame, at most 360 px on its longer side.

    Examples
    --------
    >>> fitted(np.zeros((40, 60, 3), np.uint8)).shape
    (80, 120, 3)
    """
    longer = max(frame.shape[:2])
    if longer > _LARGE:
        return np.asarray(Image.fromarray(frame).reduce(-(-longer // _LARGE)))
    return _repeat(frame, max(1, _SMALL // longer), max(1, _SMALL // longer))


def enlarged(pixels: Pixels, room: int) -> Pixels:
    """Enlarge or reduce an x-t slice by whole factors to a legible size.

    Parameters
    ----------
    pixels : ndarray of uint8
        Slice, shape (T, W, 3).
    room : int
        Maximum width, px.

    Returns
    -------
    ndarray of uint8
        Slice.

    Examples
    --------
    >>> enlarged(np.zeros((8, 50, 3), np.uint8), room=120).shape
    (192, 100, 3)
    """
    time, width = pixels.shape[:2]
    if width > room:
        pixels = np.asarray(Image.fromarray(pixels).reduce((-(-width // room), 1)))
    return _repeat(pixels, min(24, max(1, 192 // time)), max(1, room // width))


def _repeat(pixels: Pixels, down: int, across: int) -> Pixels:
    return pixels.repeat(down, axis=0).repeat(across, axis=1)


_NARROWEST, _WIDEST = 200, 2000  # px: minimum width of a tile, maximum width of the image
_CARD = 640  # px: maximum width of a card
_LETTER = 10  # px: width that few letters exceed


def tile(footage: Footage, label: str) -> Pixels:
    """Draw a clip as a tile: a label, the middle frame and an x-t slice.

    Parameters
    ----------
    footage : Clip or Film
        Clip.
    label : str
        Label above the frame.

    Returns
    -------
    ndarray of uint8
        Tile, shape (H, W, 3). The slice is the middle row of pixels; time runs down.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> tile(clip, "pad=2").shape[1]
    320
    """
    frame = fitted(to_uint8(footage.take([len(footage) // 2]))[0])
    times = -(-_NARROWEST // frame.shape[1])
    across = times * frame.shape[1]
    slices = enlarged(row_of(footage, footage.size[0] // 2), across)
    return below([_labelled(label, across), _repeat(frame, times, times), slices])


def card(picture: Pixels, label: str) -> Pixels:
    """Draw a label above an image.

    Parameters
    ----------
    picture : ndarray of uint8
        Image, shape (H, W, 3); it is reduced to at most 640 px of width.
    label : str
        Label.

    Returns
    -------
    ndarray of uint8
        Card, shape (H, W, 3).

    Examples
    --------
    >>> card(np.zeros((500, 1000, 3), np.uint8), "fish").shape[1]
    500
    """
    times = -(-picture.shape[1] // _CARD)
    picture = np.asarray(Image.fromarray(picture).reduce(times))
    return below([_labelled(label, picture.shape[1]), picture])


def _labelled(label: str, across: int) -> Pixels:
    """Draw a label in as many lines as needed; long words are broken."""
    words = " ".join(wrap(label, across // _LETTER))
    return paragraph(words, across, font(14))[:, :across]


def mosaic(tiles: Sequence[Pixels], *, caption: str = "") -> Image.Image:
    """Arrange tiles in rows on white.

    Parameters
    ----------
    tiles : sequence of ndarray of uint8
        Tiles, shape (H, W, 3).
    caption : str, optional
        Text above the tiles.

    Returns
    -------
    PIL.Image.Image
        Image, about 2000 px wide at most.

    Examples
    --------
    >>> mosaic([np.zeros((50, 300, 3), np.uint8)] * 2).mode
    'RGB'
    """
    step = max(tile.shape[1] for tile in tiles) + GAP
    columns = min(len(tiles), max(1, _WIDEST // step))
    rows = [_row(tiles[first : first + columns], step) for first in range(0, len(tiles), columns)]
    written = paragraph(caption, max(row.shape[1] for row in rows), font(14))
    page = below([written, *rows])
    return Image.fromarray(np.pad(page, ((GAP,) * 2, (GAP,) * 2, (0, 0)), constant_values=255))


def _row(tiles: Sequence[Pixels], step: int) -> Pixels:
    """Align tiles at the bottom, because their labels differ in height."""
    tallest = max(tile.shape[0] for tile in tiles)
    gaps = [((tallest - t.shape[0], 0), (0, step - GAP - t.shape[1]), (0, 0)) for t in tiles]
    return beside([np.pad(t, gap, constant_values=255) for t, gap in zip(tiles, gaps, strict=True)])
