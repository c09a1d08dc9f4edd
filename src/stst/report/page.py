"""Images with labels, as arrays of pixels, and HTML pages from templates."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image, ImageDraw, ImageFont

from stst.metrics.bounds import NO_BOUNDS

GAP = 8  # px between images; even, because previews use 4:2:0 chroma

Pixels = npt.NDArray[np.uint8]  # (H, W, 3)


def beside(pictures: Sequence[Pixels]) -> Pixels:
    """Join images from left to right, aligned at the top.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8
        Images, shape (H, W, 3).

    Returns
    -------
    ndarray of uint8
        Image, with 8 px of white to the right of each part.

    Examples
    --------
    >>> beside([np.zeros((4, 6, 3), np.uint8)] * 2).shape
    (4, 28, 3)
    """
    height = max(picture.shape[0] for picture in pictures)
    return np.concatenate([_grown(p, height, p.shape[1] + GAP) for p in pictures], 1)


def below(pictures: Sequence[Pixels]) -> Pixels:
    """Join images from top to bottom, aligned on the left.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8
        Images, shape (H, W, 3).

    Returns
    -------
    ndarray of uint8
        Image, with 8 px of white below each part.

    Examples
    --------
    >>> below([np.zeros((4, 6, 3), np.uint8)] * 2).shape
    (24, 6, 3)
    """
    width = max(picture.shape[1] for picture in pictures)
    return np.concatenate([_grown(p, p.shape[0] + GAP, width) for p in pictures], 0)


def line(texts: Sequence[str], step: int, ink: ImageFont.FreeTypeFont) -> Pixels:
    """Draw texts in one line.

    Parameters
    ----------
    texts : sequence of str
        Texts.
    step : int
        Distance from one text to the next, px.
    ink : FreeTypeFont
        Font, from `font`.

    Returns
    -------
    ndarray of uint8
        Image, shape (H, W, 3).

    Examples
    --------
    >>> line(["0", "1"], step=50, ink=font(14)).shape[2]
    3
    """
    width = step * (len(texts) - 1) + int(ink.getlength(texts[-1])) + 1
    written = Image.new("RGB", (width, int(ink.size * 1.3)), "white")
    for index, text in enumerate(texts):
        ImageDraw.Draw(written).text((index * step, 0), text, "black", ink)
    return np.asarray(written)


def paragraph(text: str, width: int, ink: ImageFont.FreeTypeFont) -> Pixels:
    """Draw a text in lines.

    Parameters
    ----------
    text : str
        Text.
    width : int
        Maximum width, px; a longer word is not broken.
    ink : FreeTypeFont
        Font, from `font`.

    Returns
    -------
    ndarray of uint8
        Image, shape (H, W, 3).

    Examples
    --------
    >>> paragraph("a short text", width=400, ink=font(14)).shape[0]
    18
    """
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and ink.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    rows = [line([text], 0, ink) for text in lines]
    across = max(row.shape[1] for row in rows)
    return np.concatenate([_grown(row, row.shape[0], across) for row in rows])


def font(size: int) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which comes with Matplotlib and has arrows and Greek letters.

    Parameters
    ----------
    size : int
        Size, px.

    Returns
    -------
    FreeTypeFont
        Font.

    Examples
    --------
    >>> font(14).size
    14
    """
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def page(labels: Sequence[Pixels], rows: Sequence[Pixels], *, margin: int) -> Pixels:
    """Stack rows, with a label to the left of each.

    Parameters
    ----------
    labels : sequence of ndarray of uint8
        Label of each row, shape (H, W, 3).
    rows : sequence of ndarray of uint8
        Rows, shape (H, W, 3).
    margin : int
        White margin, px.

    Returns
    -------
    ndarray of uint8
        Image, shape (H, W, 3).

    Examples
    --------
    >>> label, row = np.zeros((4, 6, 3), np.uint8), np.zeros((10, 20, 3), np.uint8)
    >>> page([label], [row], margin=10).shape
    (38, 64, 3)
    """
    left = max(label.shape[1] for label in labels)
    lines = []
    for label, row in zip(labels, rows, strict=True):
        drop = max(0, row.shape[0] - label.shape[0]) // 2
        label = np.pad(label, ((drop, 0), (0, 0), (0, 0)), constant_values=255)
        lines.append(beside([_grown(label, label.shape[0], left + margin - GAP), row]))
    return np.pad(below(lines), ((margin,) * 2, (margin,) * 2, (0, 0)), constant_values=255)


def _grown(picture: Pixels, height: int, width: int) -> Pixels:
    """Add white at the bottom and on the right."""
    more = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, more, constant_values=255)


def number(value: float) -> str:
    """Format a number with three digits.

    Parameters
    ----------
    value : float
        Number.

    Returns
    -------
    str
        Number, or a dash if it is not finite.

    Examples
    --------
    >>> number(0.12345)
    '0.123'
    """
    return f"{value:.3g}" if math.isfinite(value) else "\N{EN DASH}"


def bounds(row: Any) -> str:  # noqa: ANN401
    """Format the bounds of a row, with their kind.

    Parameters
    ----------
    row : named tuple
        Row with ``low``, ``high`` and ``bounds``.

    Returns
    -------
    str
        Bounds, or a dash if there are none.

    Examples
    --------
    >>> from stst.metrics.statistics import Average
    >>> bounds(Average(0.2, 0.1, 0.3, "range"))
    '0.1 to 0.3 (range)'
    """
    if row.bounds == NO_BOUNDS:
        return "\N{EN DASH}"
    return f"{number(row.low)} to {number(row.high)} ({row.bounds})"


def html(template: str, **values: object) -> str:
    """Fill in an HTML template.

    Parameters
    ----------
    template : str
        File name of the template.
    **values : object
        Values that the template uses.

    Returns
    -------
    str
        HTML, with values escaped.

    Raises
    ------
    jinja2.UndefinedError
        If a value is missing.

    Examples
    --------
    >>> html("plain.html", citation="@article{}", version="0.1").startswith("<!DOCTYPE html>")
    True
    """
    jinja = Environment(
        loader=PackageLoader("stst.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["base64"] = lambda data: b64encode(data).decode()
    jinja.filters["number"] = number
    jinja.filters["bounds"] = bounds
    return jinja.get_template(template).render(**values)
