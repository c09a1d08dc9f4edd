"""Pictures and lines of text set on a white page, as arrays of pixels."""

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

GAP = 8  # px between pictures; even, so that previews with 4:2:0 chroma can hold two clips

Pixels = npt.NDArray[np.uint8]  # (H, W, 3)


def beside(pictures: Sequence[Pixels]) -> Pixels:
    """Join pictures from left to right, aligned at the top."""
    height = max(picture.shape[0] for picture in pictures)
    return np.concatenate([_grown(p, height, p.shape[1] + GAP) for p in pictures], 1)


def below(pictures: Sequence[Pixels]) -> Pixels:
    """Join pictures from top to bottom, aligned on the left."""
    width = max(picture.shape[1] for picture in pictures)
    return np.concatenate([_grown(p, p.shape[0] + GAP, width) for p in pictures], 0)


def line(texts: Sequence[str], step: int, ink: ImageFont.FreeTypeFont) -> Pixels:
    """Write texts in one line, each `step` px after the one before."""
    width = step * (len(texts) - 1) + int(ink.getlength(texts[-1])) + 1
    written = Image.new("RGB", (width, int(ink.size * 1.3)), "white")
    for index, text in enumerate(texts):
        ImageDraw.Draw(written).text((index * step, 0), text, "black", ink)
    return np.asarray(written)


def paragraph(text: str, width: int, ink: ImageFont.FreeTypeFont) -> Pixels:
    """Write a text in lines of at most `width` px, if its words are not longer."""
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
    """Load DejaVu Sans, which comes with matplotlib and knows arrows and Greek."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def page(labels: Sequence[Pixels], rows: Sequence[Pixels], *, margin: int) -> Pixels:
    """Set rows below each other, each with its label on the left of its middle."""
    left = max(label.shape[1] for label in labels)
    lines = []
    for label, row in zip(labels, rows, strict=True):
        drop = max(0, row.shape[0] - label.shape[0]) // 2
        label = np.pad(label, ((drop, 0), (0, 0), (0, 0)), constant_values=255)
        lines.append(beside([_grown(label, label.shape[0], left + margin - GAP), row]))
    return np.pad(below(lines), ((margin,) * 2, (margin,) * 2, (0, 0)), constant_values=255)


def _grown(picture: Pixels, height: int, width: int) -> Pixels:
    """Add white below and on the right."""
    more = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, more, constant_values=255)


def number(value: float) -> str:
    """Three digits, or a dash."""
    return f"{value:.3g}" if math.isfinite(value) else "\N{EN DASH}"


def bounds(row: Any) -> str:  # noqa: ANN401
    """The ends of a row, and what they are."""
    if row.bounds == NO_BOUNDS:
        return "\N{EN DASH}"
    return f"{number(row.low)} to {number(row.high)} ({row.bounds})"


def html(template: str, **values: object) -> str:
    """Fill in a template; pictures are held as base64, numbers have three digits."""
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
