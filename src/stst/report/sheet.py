"""Natural clip and stimulus in one picture, pixel for pixel."""

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
    """Clips of one form beside each other, joined frame by frame when frames are taken."""

    def __init__(self, films: Sequence[Footage]) -> None:
        self.films, self.frame_rate = films, films[0].frame_rate
        height, width = films[0].size
        self.size = height, len(films) * (width + GAP) - GAP

    def __len__(self) -> int:
        return len(self.films[0])

    def take(self, indices: Sequence[int]) -> Tensor:
        """Join frames in the order asked for: (n, 3, H, W), the first film on the left."""
        parts: list[Tensor] = []
        for film in self.films:
            frames = film.take(indices)
            parts += [frames.new_full((*frames.shape[:3], GAP), 0.5), frames]
        return torch.cat(parts[1:], -1)


def side_by_side(films: Mapping[str, Footage]) -> SideBySide:
    """Show clips of one form from left to right, with gaps of 8 px of mid grey."""
    check_same_form(films)
    return SideBySide(list(films.values()))


_SMALL, _LARGE = 160, 360  # px: frames below half are enlarged, frames above reduced


def contact_sheet(
    films: Mapping[str, Footage], *, columns: int = 8, caption: str = ""
) -> Image.Image:
    """Draw frames of each film below one another, and an x-t slice of each at the foot.

    The films, by the names to be shown, are of one form. No pixel is interpolated: small frames
    are enlarged by repeating pixels, wide ones reduced by averaging square blocks.
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


_NARROWEST, _WIDEST = 200, 2000  # px of a tile and of the picture
_CARD = 640  # px of a card, at most
_LETTER = 10  # px that one takes, at most but for a few


def tile(footage: Footage, label: str) -> Pixels:
    """A label, the middle frame, and the middle row of pixels of all frames; time runs down."""
    frame = fitted(to_uint8(footage.take([len(footage) // 2]))[0])
    times = -(-_NARROWEST // frame.shape[1])
    across = times * frame.shape[1]
    slices = enlarged(row_of(footage, footage.size[0] // 2), across)
    return below([_labelled(label, across), _repeat(frame, times, times), slices])


def card(picture: Pixels, label: str) -> Pixels:
    """A label over a picture, (H, W, 3), which is reduced if it is wide."""
    times = -(-picture.shape[1] // _CARD)
    picture = np.asarray(Image.fromarray(picture).reduce(times))
    return below([_labelled(label, picture.shape[1]), picture])


def _labelled(label: str, across: int) -> Pixels:
    """The label in as many lines as it takes; a word that is too long is broken."""
    words = " ".join(wrap(label, across // _LETTER))
    return paragraph(words, across, font(14))[:, :across]


def mosaic(tiles: Sequence[Pixels], *, caption: str = "") -> Image.Image:
    """Set tiles beside each other on white, in as many rows as they take."""
    step = max(tile.shape[1] for tile in tiles) + GAP
    columns = min(len(tiles), max(1, _WIDEST // step))
    rows = [_row(tiles[first : first + columns], step) for first in range(0, len(tiles), columns)]
    written = paragraph(caption, max(row.shape[1] for row in rows), font(14))
    page = below([written, *rows])
    return Image.fromarray(np.pad(page, ((GAP,) * 2, (GAP,) * 2, (0, 0)), constant_values=255))


def _row(tiles: Sequence[Pixels], step: int) -> Pixels:
    """Tiles with their feet on one line, because their labels differ in height."""
    tallest = max(tile.shape[0] for tile in tiles)
    gaps = [((tallest - t.shape[0], 0), (0, step - GAP - t.shape[1]), (0, 0)) for t in tiles]
    return beside([np.pad(t, gap, constant_values=255) for t, gap in zip(tiles, gaps, strict=True)])
