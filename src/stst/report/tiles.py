"""Many clips in one picture: the middle frame of each, over an x-t slice."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from PIL import Image

from stst.report.page import GAP, Pixels, below, beside, font, paragraph
from stst.report.sheet import enlarged, fitted, row_of
from stst.video.frames import Footage, to_uint8

_NARROWEST, _WIDEST = 200, 2000  # px of a tile and of the picture
_CARD = 640  # px of a card, at most
_LETTER = 10  # px that one takes, at most but for a few


def tile(footage: Footage, label: str) -> Pixels:
    """A label, the middle frame, and the middle row of pixels of all frames; time runs down.

    Examples
    --------
    >>> import torch
    >>> from stst.video.frames import Clip
    >>> tile(Clip(torch.rand(4, 3, 180, 200), 25), "pad=2").shape[1]
    200
    """
    frame = fitted(to_uint8(footage.take([len(footage) // 2]))[0])
    times = -(-_NARROWEST // frame.shape[1])
    frame = frame.repeat(times, 0).repeat(times, 1)
    across = frame.shape[1]
    parts = [frame, enlarged(row_of(footage, footage.size[0] // 2), across)]
    return below([_labelled(label, across), *parts])


def card(picture: Pixels, label: str) -> Pixels:
    """A label over a picture, (H, W, 3), which is reduced if it is wide.

    Examples
    --------
    >>> card(np.zeros((500, 1000, 3), np.uint8), "fish").shape[1]
    500
    """
    times = -(-picture.shape[1] // _CARD)
    picture = np.asarray(Image.fromarray(picture).reduce(times))
    return below([_labelled(label, picture.shape[1]), picture])


def _labelled(label: str, across: int) -> Pixels:
    """The label in as many lines as it takes; a word that is too long is broken."""
    words = " ".join(wrap(label, across // _LETTER))
    return paragraph(words, across, font(14))[:, :across]


def mosaic(tiles: Sequence[Pixels], *, caption: str = "") -> Image.Image:
    """Set tiles beside each other, in as many rows as they take.

    Returns
    -------
    PIL.Image.Image
        RGB, on white.
    """
    step = max(tile.shape[1] for tile in tiles) + GAP
    columns = min(len(tiles), max(1, _WIDEST // step))
    rows = [_row(tiles[first : first + columns], step) for first in range(0, len(tiles), columns)]
    written = paragraph(caption, max(row.shape[1] for row in rows), font(14))
    page = below([written, *rows])
    return Image.fromarray(np.pad(page, ((GAP,) * 2, (GAP,) * 2, (0, 0)), constant_values=255))


def _row(tiles: Sequence[Pixels], step: int) -> Pixels:
    """Tiles with their feet on one line, because their labels differ in height."""
    tallest = max(tile.shape[0] for tile in tiles)
    return beside(
        [
            np.pad(
                tile,
                ((tallest - tile.shape[0], 0), (0, step - GAP - tile.shape[1]), (0, 0)),
                constant_values=255,
            )
            for tile in tiles
        ]
    )
